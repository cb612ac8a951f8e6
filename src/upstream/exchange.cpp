#include "upstream/exchange_impl.hpp"

namespace ollama_proxy::upstream {
using boost::asio::awaitable;

Exchange::Exchange(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;
Exchange::~Exchange() = default;

const AnswerHead& Exchange::head() const { return impl_->head; }
std::string Exchange::take_fields() { return std::move(impl_->head.fields); }
bool Exchange::ended() const { return impl_->phase == Impl::Phase::ended; }
bool Exchange::ended_by_close() const { return impl_->framing == codec::Framing::until_close; }

awaitable<Exchange::OpenResult> Exchange::open(std::shared_ptr<Backend> backend,
                                               UpstreamRequest request, ExchangeTimeouts timeouts) {
    auto impl = std::make_unique<Impl>(std::move(backend), timeouts);
    std::optional<OpenError> failure;
    for (bool fresh : {request.only_once, true}) {
        failure.reset();
        TimePoint now = Clock::now();
        const bool pooled = !fresh && impl->take_pooled(now);
        if (!pooled) {
            failure = co_await impl->connect();
            now = Clock::now();
        }
        const bool sent = !failure && impl->send_now(request, now);
        if (!failure && !sent) failure = co_await impl->send_rest(request);
        if (!failure) failure = co_await impl->read_head(request.method);
        if (!failure) co_return Exchange(std::move(impl));
        // an upload that was partly pulled from the client cannot be sent twice
        const bool raced = failure->kind == OpenFailure::closed_before_head && impl->reused &&
                           request.source == nullptr;
        if (!raced) break;
    }
    co_return std::move(*failure);
}

}  // namespace ollama_proxy::upstream
