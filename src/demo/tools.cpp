#include "demo/job.hpp"

namespace ollama_proxy::demo {

namespace {

/// A tool as the dialects write it: {"function":{...}} (chat), or flat (Responses, Messages).
const Json& function_of(const Json& tool) {
    const Json* inner = find(tool, "function");
    return inner != nullptr ? *inner : tool;
}

const Json* named(const Json& tools, const std::string& name) {
    for (const Json& tool : tools) {
        if (string_at(function_of(tool), "name") == name) return &function_of(tool);
    }
    return nullptr;
}

const Json* picked(const Json& tools, const Json* choice, const std::string& prompt) {
    if (choice != nullptr) {
        const std::string word =
            choice->is_string() ? choice->get<std::string>() : string_at(*choice, "type");
        if (word == "none") return nullptr;
        // "any" is Anthropic's word for it.
        if (word == "required" || word == "any") return &function_of(tools.front());
        if (const std::string name = string_at(function_of(*choice), "name"); !name.empty()) {
            return named(tools, name);
        }
    }
    for (const Json& tool : tools) {
        const std::string name = string_at(function_of(tool), "name");
        if (!name.empty() && prompt.find(name) != std::string::npos) return &function_of(tool);
    }
    return nullptr;
}

}  // namespace

std::optional<ToolCall> choose_tool(const Json& request, const std::string& prompt) {
    const Json* tools = find(request, "tools");
    if (tools == nullptr || !tools->is_array() || tools->empty()) return std::nullopt;
    const Json* function = picked(*tools, find(request, "tool_choice"), prompt);
    if (function == nullptr) return std::nullopt;
    const Json* schema = find(*function, "parameters");
    if (schema == nullptr) schema = find(*function, "input_schema");
    ToolCall call;
    call.name = string_at(*function, "name");
    call.arguments = schema != nullptr ? instance_of(*schema, "demo") : Json::object();
    if (!call.arguments.is_object()) call.arguments = Json::object();
    return call;
}

}  // namespace ollama_proxy::demo
