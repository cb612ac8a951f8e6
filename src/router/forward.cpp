#include "ollama_proxy/runtime/with_timeout.hpp"
#include "router/router_impl.hpp"
#include "router/router_metrics.hpp"

#include <algorithm>

namespace ollama_proxy::router {
using boost::asio::awaitable;
using upstream::Exchange;
using upstream::OpenFailure;
using upstream::Outcome;

namespace {

constexpr Milliseconds kManagementStall{600000};
/// An Ollama answers to it at once; one that hangs must not keep the others from it.
constexpr Milliseconds kUnloadTime{5000};

/// The upload of an adaptor as upstream's source.
class Upload : public upstream::BodySource {
  public:
    explicit Upload(UploadSource& source) : source_(source) {}
    awaitable<Result<std::string_view>> next() override { return source_.next(); }
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return source_.length(); }

  private:
    UploadSource& source_;
};

/// The named backend, else the default one, else the first enabled Ollama.
Result<std::shared_ptr<upstream::Backend>> management_target(const Generation& generation,
                                                             const std::string& id) {
    const std::string& wanted = id.empty() ? generation.config->router.default_backend : id;
    std::string known;
    for (const auto& backend : generation.backends->backends) {
        const config::Backend& settings = backend->settings();
        if (wanted.empty() ? settings.enabled && settings.type == config::BackendType::ollama
                           : settings.id == wanted) {
            return backend;
        }
        known += (known.empty() ? "" : ", ") + settings.id;
    }
    if (!wanted.empty()) {
        return make_error(Errc::backend_not_found,
                          "no backend is called '" + wanted + "'; there are: " + known,
                          "X-Target-Backend");
    }
    return make_error(Errc::not_supported, "no enabled backend of type ollama manages models");
}

std::unique_ptr<ResponseStream::Impl> raw_answer(std::shared_ptr<upstream::Backend> backend,
                                                 Exchange exchange) {
    auto answer = std::make_unique<ResponseStream::Impl>();
    const upstream::AnswerHead& head = exchange.head();
    answer->mode = ResponseStream::Impl::Mode::raw;
    answer->status = head.status;
    answer->fields = head.fields;
    answer->length = head.length;
    // where a length was announced a line of ours would be taken for a part of it
    if (head.kind == upstream::BodyKind::events && !head.encoded && !head.length) {
        answer->lines = std::make_unique<ProgressLines>();
    }
    answer->backend = std::move(backend);
    answer->exchange.emplace(std::move(exchange));
    return answer;
}

/// Reads the first piece: until it is there the client can still be told in a status what failed.
awaitable<std::optional<Error>> read_first(ResponseStream::Impl& answer) {
    auto first = co_await answer.exchange->next();
    if (!first) co_return first.error();
    for (std::string_view piece : *first) answer.first.append(piece);
    answer.all_in_first = first->empty();
    if (!answer.lines) co_return std::nullopt;
    answer.lines->feed(answer.first);
    if (!answer.all_in_first || !answer.exchange->ended_by_close()) co_return std::nullopt;
    co_return make_error(Errc::bad_gateway,
                         "backend '" + answer.backend->id() + "' ended its answer at once");
}

Error open_error(const upstream::OpenError& failure) {
    Error error = failure.error;
    if (failure.kind == OpenFailure::refused || failure.kind == OpenFailure::connect_timeout) {
        error.code = Errc::no_available_backends;
        error.retry_after_s = 5;
    }
    return error;
}

/// `Router::forward`, but for the count of what failed.
awaitable<Result<ResponseStream>> pass_on(Router::Impl& router, const ForwardRequest& request,
                                          RouteInfo& info) {
    router.health.note_request();
    const auto generation = router.generation.load();
    auto target = management_target(*generation, request.backend);
    if (!target) co_return target.error();
    const std::shared_ptr<upstream::Backend> backend = std::move(*target);
    info.decided = true;
    info.backend = backend->id();
    info.mode = to_string(router.policy.load()->effective);
    info.reason = request.backend.empty() ? "default-backend" : "explicit-target";

    std::optional<Upload> upload;
    upstream::UpstreamRequest outgoing;
    outgoing.method = request.method;
    outgoing.target = request.target;
    outgoing.fields = request.fields;
    outgoing.authorization = request.authorization;
    outgoing.body = request.body;
    outgoing.only_once = request.method != "GET" && request.method != "HEAD";
    if (request.upload) outgoing.source = &upload.emplace(*request.upload);
    const upstream::ExchangeTimeouts timeouts{backend->settings().timeouts.connect,
                                              kManagementStall, kManagementStall};
    const TimePoint before = Clock::now();
    auto opened = co_await Exchange::open(backend, outgoing, timeouts);
    std::unique_ptr<ResponseStream::Impl> answer;
    std::optional<Error> failure;
    if (opened) {
        answer = raw_answer(backend, std::move(*opened));
        failure = co_await read_first(*answer);
    } else {
        failure = open_error(opened.error());
    }
    info.upstream_ms += to_ms(Clock::now() - before);
    if (failure) co_return std::move(*failure);
    if (request.refresh_catalog) {
        answer->on_success = [&router, backend] { router.health.refresh_soon(backend); };
    }
    co_return ResponseStream(std::move(answer));
}

/// Nothing once the machine is not about to sleep; the error, counted, when that took too long.
awaitable<std::optional<Error>> wait_until_awake(Router::Impl& router,
                                                 const RequestContext& context) {
    const auto patience = router.generation.load()->config->queue.timeout;
    auto late = co_await router.sleep.pass(std::min(Clock::now() + patience, context.deadline));
    if (late) count_error(late->code);
    co_return late;
}

/// The backends that are known to have the model in memory.
std::vector<std::string> who_has_loaded(const Generation& generation, std::string_view key) {
    std::vector<std::string> out;
    for (const auto& backend : generation.backends->backends) {
        const config::Backend& settings = backend->settings();
        // of one that is down the catalog says what was
        const bool there = settings.enabled && backend->health() != upstream::Health::unhealthy;
        if (there && settings.type == config::BackendType::ollama &&
            backend->catalog()->is_loaded(key)) {
            out.push_back(settings.id);
        }
    }
    return out;
}

void count_if_failed(const Result<ResponseStream>& answer) {
    if (!answer && answer.error().code != Errc::cancelled) count_error(answer.error().code);
}

}  // namespace

awaitable<Result<ResponseStream>> Router::forward(const ForwardRequest& request,
                                                  const RequestContext& context, RouteInfo& info) {
    if (auto late = co_await wait_until_awake(*impl_, context)) co_return std::move(*late);
    auto answer = co_await pass_on(*impl_, request, info);
    count_if_failed(answer);
    co_return answer;
}

awaitable<Result<ResponseStream>> Router::unload(const InferenceRequest& request,
                                                 const RequestContext& context, RouteInfo& info) {
    if (auto late = co_await wait_until_awake(*impl_, context)) co_return std::move(*late);
    const TimePoint begin = Clock::now();
    // who loads and unloads within seconds, or by another way, is ahead of what was last heard
    co_await impl_->health.refresh_catalogs(Clock::duration::zero());
    const auto generation = impl_->generation.load();
    const Wanted wanted = wanted_of(*generation->config, request.api, request.scan.model);
    const std::vector<std::string> targets = who_has_loaded(*generation, wanted.ollama_key);
    // nowhere loaded, as far as is known: one backend gives the right answer, also "not found"
    if (targets.empty()) {
        info.upstream_ms = to_ms(Clock::now() - begin);
        co_return co_await route(request, context, info);
    }
    std::optional<Result<ResponseStream>> last;
    for (const std::string& target : targets) {
        ForwardRequest one;
        one.backend = target;
        one.method = "POST";
        one.target = codec::path_of(request.api);
        one.fields = request.fields;
        one.authorization = request.authorization;
        one.body = wanted.by_alias ? codec::replace_model(request.body, request.scan, wanted.model)
                                   : request.body;
        one.refresh_catalog = true;
        RouteInfo its_info;
        auto answer = co_await runtime::with_timeout(pass_on(*impl_, one, its_info), kUnloadTime);
        if (!answer) {
            answer = make_error(Errc::upstream_timeout,
                                "backend '" + target + "' did not answer to unloading");
        }
        if (*answer || !last) {
            last = std::move(*answer);
            info = its_info;
        }
        // an earlier answer is dropped unread, and then nobody else looks what is loaded now
        if (const auto backend = generation->backends->find(target)) {
            impl_->health.refresh_soon(backend);
        }
    }
    info.reason = "unload";
    info.upstream_ms = to_ms(Clock::now() - begin);  // all of it was waiting for backends
    count_if_failed(*last);
    co_return std::move(*last);
}

}  // namespace ollama_proxy::router
