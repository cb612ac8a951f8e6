#include "demo/json.hpp"

namespace ollama_proxy::demo {

const Json* find(const Json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string string_at(const Json& object, std::string_view key) {
    const Json* value = find(object, key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool bool_at(const Json& object, std::string_view key, bool otherwise) {
    const Json* value = find(object, key);
    return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::optional<std::int64_t> int_at(const Json& object, std::string_view key) {
    const Json* value = find(object, key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->get<std::int64_t>();
}

void append_escaped(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte >= 0x20) {
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text);
    out += '"';
}

Json instance_of(const Json& schema, const std::string& text, int depth) {
    if (const Json* values = find(schema, "enum");
        values != nullptr && values->is_array() && !values->empty()) {
        return values->front();
    }
    if (const Json* value = find(schema, "const")) return *value;
    std::string type = string_at(schema, "type");
    if (const Json* types = find(schema, "type");
        types != nullptr && types->is_array() && !types->empty() && types->front().is_string()) {
        type = types->front().get<std::string>();
    }
    const Json* properties = find(schema, "properties");
    if (type == "object" || properties != nullptr) {
        Json out = Json::object();
        if (properties == nullptr || !properties->is_object() || depth == 0) return out;
        for (const auto& [name, part] : properties->items()) {
            out[name] = instance_of(part, text, depth - 1);
        }
        return out;
    }
    if (type == "array") {
        const Json* items = find(schema, "items");
        Json out = Json::array();
        if (items != nullptr && depth > 0) out.push_back(instance_of(*items, text, depth - 1));
        return out;
    }
    if (type == "integer" || type == "number") return 1;
    if (type == "boolean") return true;
    if (type == "null") return nullptr;
    return text;
}

}  // namespace ollama_proxy::demo
