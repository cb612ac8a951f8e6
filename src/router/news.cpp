// What the router tells of itself, and how it sleeps and wakes.
#include "ollama_proxy/router/router.hpp"
#include "router/router_impl.hpp"

namespace ollama_proxy::router {

Observers<HealthNews>::Subscription Router::subscribe_health(
    std::function<void(const HealthNews&)> observer) {
    return impl_->news.health.subscribe(std::move(observer));
}

Observers<LastDecision>::Subscription Router::subscribe_decisions(
    std::function<void(const LastDecision&)> observer) {
    impl_->news.decisions_wanted.store(true);
    return impl_->news.decisions.subscribe(std::move(observer));
}

Observers<bool>::Subscription Router::subscribe_activity(std::function<void(bool)> observer) {
    return impl_->news.activity.subscribe(
        [tell = std::move(observer)](const bool& busy) { tell(busy); });
}

std::optional<LastDecision> Router::last_decision() const { return impl_->news.last_decision(); }

void Router::suspend() { impl_->sleep.close(); }

void Router::resume() {
    // before the gate: the first request must not meet a connection from before the sleep
    upstream::flush_all_connections();
    impl_->health.probe_soon();
    impl_->sleep.open();
}

}  // namespace ollama_proxy::router
