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
    if (error) co_return co_await refuse_early(*error);
    Result<efficiency::Change> change = read_efficiency_change(body);
    if (!change) co_return co_await refuse_early(change.error());
    const efficiency::StatePtr state = co_await shared_->controller.changed(std::move(*change));
    Reply reply = efficiency_reply(*state, *shared_->router.view());
    co_return co_await send(std::move(reply));
}

}  // namespace ollama_proxy::http
