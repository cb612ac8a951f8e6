#include "config/node.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

namespace ollama_proxy::config {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 100'000;

Place place_of(const YAML::Mark& mark) { return {{}, mark.line + 1, mark.column + 1}; }

struct Refused : std::runtime_error {
    Refused(const YAML::Mark& mark, const std::string& what)
        : std::runtime_error(what), place(place_of(mark)) {}
    Place place;
};

/// Builds the tree. A value's weight counts what following every alias in it would visit, so that
/// a few lines of nested aliases cannot stand for millions of values.
class Builder : public YAML::EventHandler {
  public:
    Node::Ptr root() const { return root_; }
    const YAML::Mark& last_quoted() const { return last_quoted_; }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        auto node = make(mark, Node::Kind::null);
        finish(mark, std::move(node), anchor, 1, 0);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        auto node = make(mark, Node::Kind::scalar);
        node->text = value;
        node->quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
        if (node->quoted) last_quoted_ = mark;
        if (!node->quoted && (value.empty() || value == "~" || value == "null" || value == "Null" ||
                              value == "NULL")) {
            node->kind = Node::Kind::null;
        }
        finish(mark, std::move(node), anchor, 1, 0);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) throw Refused(mark, "an alias inside its own anchor");
        add(mark, found->second.node, found->second.weight, found->second.height);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, Node::Kind::list, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, Node::Kind::map, anchor);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        std::shared_ptr<Node> node;
        YAML::Mark mark;
        YAML::anchor_t anchor = 0;
        Node::Ptr key{};
        std::size_t weight = 1;
        std::size_t height = 0;
    };
    struct Anchored {
        Node::Ptr node;
        std::size_t weight = 1;
        std::size_t height = 0;
    };

    static std::shared_ptr<Node> make(const YAML::Mark& mark, Node::Kind kind) {
        auto node = std::make_shared<Node>();
        node->kind = kind;
        node->place = place_of(mark);
        return node;
    }

    void open(const YAML::Mark& mark, Node::Kind kind, YAML::anchor_t anchor) {
        if (stack_.size() >= kMaxDepth) throw_too_deep(mark);
        stack_.push_back({make(mark, kind), mark, anchor});
    }

    void close() {
        Open top = std::move(stack_.back());
        stack_.pop_back();
        finish(top.mark, std::move(top.node), top.anchor, top.weight, top.height + 1);
    }

    void finish(const YAML::Mark& mark, std::shared_ptr<Node> node, YAML::anchor_t anchor,
                std::size_t weight, std::size_t height) {
        if (anchor != 0) anchors_[anchor] = {node, weight, height};
        add(mark, std::move(node), weight, height);
    }

    void add(const YAML::Mark& mark, Node::Ptr node, std::size_t weight, std::size_t height) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& top = stack_.back();
        top.weight += weight;
        top.height = std::max(top.height, height);
        if (top.weight > kMaxValues) {
            throw Refused(mark, "more than " + std::to_string(kMaxValues) +
                                    " values once aliases are followed");
        }
        if (stack_.size() + height > kMaxDepth) throw_too_deep(mark);
        if (top.node->kind == Node::Kind::list) {
            top.node->items.push_back(std::move(node));
        } else if (top.key == nullptr) {
            top.key = std::move(node);
        } else {
            if (node->kind == Node::Kind::null) {
                // yaml-cpp places a missing value at the next token, which may be a line further.
                auto placed = std::make_shared<Node>(*node);
                placed->place = top.key->place;
                node = std::move(placed);
            }
            top.node->entries.push_back({std::exchange(top.key, nullptr), std::move(node)});
        }
    }

    [[noreturn]] static void throw_too_deep(const YAML::Mark& mark) {
        throw Refused(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }

    std::vector<Open> stack_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    Node::Ptr root_;
    YAML::Mark last_quoted_ = YAML::Mark::null_mark();
};

/// Only here to see whether there is a second document.
class Ignore : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark& mark) override { place = place_of(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}

    Place place;
};

/// yaml-cpp takes the end of the file for the end of a quoted scalar, so that one missing quote
/// silently swallows every key behind it. Only the last scalar can be such a one.
bool is_closed(std::string_view text, const YAML::Mark& start) {
    if (start.pos < 0 || static_cast<std::size_t>(start.pos) >= text.size()) return true;
    text.remove_prefix(static_cast<std::size_t>(start.pos));
    while (!text.empty() && (text.front() == '&' || text.front() == '!')) {  // anchor, tag
        const auto end = text.find_first_of(" \t\r\n");
        if (end == std::string_view::npos) return true;
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n", end), text.size()));
    }
    if (text.empty() || (text.front() != '"' && text.front() != '\'')) return true;
    const char quote = text.front();
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (quote == '"' && text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return true;
            ++i;  // '' inside single quotes is a quote
        }
    }
    return false;
}

}  // namespace

Node::Ptr parse_yaml(std::string_view text, const std::string& filename,
                     std::vector<Problem>& problems) {
    const auto refuse = [&](const Place& place, const std::string& what) {
        problems.push_back({filename, place.line, place.column, {}, what});
        return Node::Ptr();
    };
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (text.find('\0') != std::string_view::npos) return refuse({}, "not UTF-8 text");
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        Builder builder;
        if (!parser.HandleNextDocument(builder) || builder.root() == nullptr) {
            auto empty = std::make_shared<Node>();
            empty->place = {{}, 1, 1};
            return empty;
        }
        if (!is_closed(text, builder.last_quoted())) {
            return refuse(place_of(builder.last_quoted()),
                          "YAML syntax: the quote that opens here is never closed");
        }
        Ignore second;
        if (parser.HandleNextDocument(second)) {
            return refuse(second.place,
                          "a second YAML document; the configuration is one document");
        }
        return builder.root();
    } catch (const Refused& refused) {
        return refuse(refused.place, refused.what());
    } catch (const YAML::Exception& error) {
        return refuse(place_of(error.mark), "YAML syntax: " + error.msg);
    }
}

}  // namespace ollama_proxy::config
