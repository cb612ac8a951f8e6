#include "http/efficiency_replies.hpp"
#include "http/session.hpp"

namespace ollama_proxy::http {
using boost::asio::awaitable;

awaitable<Session::After> Session::serve_set_efficiency(const codec::RequestHead& head) {
    downstream_.consume(head.size);
    std::string body;
    ByteBudget::Lease lease;
    std::optional<Error> error;
    if (!take_body_at_hand(body, lease, false)) error = co_await read_body(body, lease, false);
    if (error && error->code == Errc::cancelled) {
        note_error(*error);
        finish_record();
        co_return After::close;
    }
    Result<efficiency::Change> change = error ? *error : read_efficiency_change(body);
    if (!change) {
        note_error(change.error());
        const Reply refusal = error_reply(request_.dialect, change.error());
        co_return co_await send(refusal);
    }
    const efficiency::StatePtr state = co_await shared_->controller.changed(std::move(*change));
    const Reply reply = efficiency_reply(*state, *shared_->router.view());
    co_return co_await send(reply);
}

}  // namespace ollama_proxy::http
