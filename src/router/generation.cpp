// Which backends a configuration has, and what of the former ones goes on in them.
#include "router/router_impl.hpp"

#include <tuple>

namespace ollama_proxy::router {
namespace {

bool same_rules(const config::CircuitBreaker& a, const config::CircuitBreaker& b) {
    const auto values = [](const config::CircuitBreaker& c) {
        return std::tuple(c.consecutive_failures, c.failure_percent, c.min_requests, c.window,
                          c.open, c.max_open);
    };
    return values(a) == values(b);
}

/// What was found out by asking one is true of the other too.
bool same_server(const config::Backend& a, const config::Backend& b) {
    return a.endpoint == b.endpoint && a.type == b.type && a.secret == b.secret &&
           a.ca_file == b.ca_file && a.headers == b.headers;
}

std::shared_ptr<upstream::Backend> backend_of(const config::Backend& settings,
                                              const config::CircuitBreaker& rules,
                                              const Generation* former) {
    const auto before = former ? former->backends->find(settings.id) : nullptr;
    const bool breaker_too = before && same_rules(rules, former->config->circuit_breaker);
    if (before && breaker_too && before->settings() == settings) return before;
    auto backend = std::make_shared<upstream::Backend>(settings, rules);
    if (before && same_server(before->settings(), settings)) {
        backend->inherit(*before, breaker_too);
    }
    return backend;
}

}  // namespace

std::shared_ptr<const Generation> make_generation(std::shared_ptr<const config::Config> config,
                                                  Learning& learning, const Generation* former) {
    auto set = std::make_shared<upstream::BackendSet>();
    auto generation = std::make_shared<Generation>();
    for (const config::Backend& settings : config->backends) {
        set->backends.push_back(backend_of(settings, config->circuit_breaker, former));
        generation->notes.push_back(
            std::make_shared<BackendNotes>(settings, learning.of(settings)));
    }
    generation->settings = decision_settings(*config);
    generation->backends = std::move(set);
    generation->config = std::move(config);
    return generation;
}

void Router::reload(std::shared_ptr<const config::Config> config) {
    const auto former = impl_->generation.load();
    const auto next = make_generation(std::move(config), impl_->learning, former.get());
    impl_->generation.store(next);
    // only now: who finds a backend retired looks for the generation that lacks it
    for (const auto& backend : former->backends->backends) {
        if (next->backends->find(backend->id()) != backend) backend->retire();
    }
    impl_->health.watch(next->backends, next->config->health);
    impl_->admission.configure(next->config->queue);
}

}  // namespace ollama_proxy::router
