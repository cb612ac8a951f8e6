#include "ollama_proxy/router/router.hpp"

#include "ollama_proxy/telemetry/log.hpp"
#include "router/router_impl.hpp"

#include <algorithm>

namespace ollama_proxy::router {

namespace {

void log_health(const upstream::Backend& backend, upstream::Health before) {
    if (before == upstream::Health::unknown && backend.health() == upstream::Health::healthy) {
        telemetry::log_info("backend answers", {{"backend", backend.id()}});
        return;
    }
    const std::string reason = backend.health_reason();
    if (backend.health() == upstream::Health::healthy) {
        telemetry::log_info("backend is back", {{"backend", backend.id()}});
    } else {
        telemetry::log_warn("backend is down", {{"backend", backend.id()}, {"reason", reason}});
    }
}

HealthNews news_of(const upstream::Backend& backend, upstream::Health before) {
    const bool healthy = backend.health() == upstream::Health::healthy;
    return {backend.id(), backend.settings().name, healthy, before == upstream::Health::unknown,
            healthy ? std::string() : backend.health_reason()};
}

config::Mode fixed_mode(const config::Config& config) {
    // Auto follows the machine's sensors; with nothing known of the machine it is Balanced
    const config::Mode mode = config.efficiency.default_mode;
    return mode == config::Mode::automatic ? config::Mode::balanced : mode;
}

}  // namespace

Router::Impl::Impl(boost::asio::io_context& control, std::shared_ptr<const config::Config> config)
    : learning(control, *config),
      generation(make_generation(config, learning)),
      policy(std::make_shared<const efficiency::Policy>(
          efficiency::policy_of(fixed_mode(*config), *config))),
      admission(config->queue),
      activity(std::make_shared<Activity>(
          control, [this] { return admission.in_flight() + admission.waiting(); },
          [this](bool busy) { news.activity.notify(busy); })),
      health(control, config->health,
             [this](const upstream::Backend& backend, upstream::Health before) {
                 log_health(backend, before);
                 news.health.notify(news_of(backend, before));
                 // who waits may go where it could not, or can no longer go where it would have
                 const bool up = backend.health() == upstream::Health::healthy;
                 admission.reconsider(up ? std::string_view() : backend.id());
             }) {
    admission.limit(policy.load()->max_concurrency);
}

void Router::Impl::rank(const Generation& current, const Wanted& wanted, const RoutingHints& hints,
                        std::optional<std::uint32_t> target, TimePoint now, Ranking& out,
                        std::vector<std::vector<Refusal>>* every_refusal) const {
    policy.refresh(out.policy);
    system.refresh(out.machine);
    admission.occupancy(current.backends->backends, out.occupancy);
    const Surroundings surroundings{out.machine.get(), out.occupancy,
                                    [this](std::string_view backend, std::string_view model) {
                                        return admission.runs(backend, model);
                                    }};
    gather_facts(current, wanted, surroundings, now, out.facts, every_refusal);
    decide(hints, out.facts, target, *out.policy, current.settings, out.decision);
}

Router::Router(boost::asio::io_context& control, std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(control, std::move(config))) {}

Router::~Router() = default;

void Router::start() {
    const auto generation = impl_->generation.load();
    impl_->health.watch(generation->backends, generation->config->health);
}

void Router::stop() {
    impl_->activity->stop();
    impl_->health.stop();
    impl_->learning.stop();
}

void Router::stop_accepting() {
    impl_->accepting.store(false);
    impl_->admission.close();
}

void Router::set_policy(std::shared_ptr<const efficiency::Policy> policy) {
    const auto at_once = policy->max_concurrency;
    impl_->policy.store(std::move(policy));
    impl_->admission.limit(at_once);
    impl_->admission.reconsider();
}

void Router::set_system(std::shared_ptr<const monitors::SystemSnapshot> snapshot) {
    impl_->system.store(std::move(snapshot));
}

void Router::set_energy(monitors::EnergyLedger energy) { impl_->energy = std::move(energy); }

std::shared_ptr<const monitors::SystemSnapshot> Router::system() const {
    return impl_->system.load();
}

std::shared_ptr<const config::Config> Router::config() const {
    return impl_->generation.load()->config;
}

}  // namespace ollama_proxy::router
