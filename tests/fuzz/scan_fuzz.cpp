#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/codec/stream_watcher.hpp"
#include "require.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

using namespace ollama_proxy::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto api = static_cast<Api>(data[0] % 11);
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    (void)inspect_answer(api, body);
    const auto scan = scan_request(api, body);
    if (!scan) {
        require(!scan.error().message.empty(), "a refusal says why");
        return 0;
    }
    require(scan->model_begin < scan->model_end && scan->model_end <= body.size(),
            "the model lies in the body");
    const std::string changed = replace_model(body, *scan, "other");
    const auto again = scan_request(api, changed);
    require(again.has_value() && again->model == "other", "the model that counts was replaced");
    require(again->stream == scan->stream && again->include_usage == scan->include_usage,
            "nothing else was changed");
    // A second reader must see the same model. It refuses what strict readers may: numbers out of
    // range and lone surrogates.
    const auto other = nlohmann::json::parse(body, nullptr, false);
    if (other.is_discarded()) return 0;
    const auto model = other.find("model");
    const auto name = other.find("name");
    const bool same = (model != other.end() && *model == scan->model) ||
                      (name != other.end() && *name == scan->model);
    require(same, "other readers see the same model");
    return 0;
}
