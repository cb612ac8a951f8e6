#pragma once

#include "ollama_proxy/common/observers.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/state.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace ollama_proxy::efficiency {

/// Holds the efficiency mode: what the user set, what applies now and why. It decides on the
/// control context, from the machine's readings, the clock and the user's wishes; everybody else
/// reads snapshots. The user's wishes are remembered in the state directory.
/// Thread: any, unless said otherwise.
class Controller {
  public:
    using Publish = std::function<void(std::shared_ptr<const Policy>)>;
    using Subscription = Observers<StatePtr>::Subscription;

    /// Reads what was remembered (blocks on that small file) and decides a first time, so that
    /// `state()` holds from now on. `publish` gets the policy now and, on control, whenever it
    /// changes.
    Controller(boost::asio::io_context& control, std::shared_ptr<const config::Config> config,
               Publish publish);
    ~Controller();
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    /// Ends timers and waits for a file that is being written; later calls change nothing.
    /// Thread: control.
    void stop();

    /// Never null.
    [[nodiscard]] StatePtr state() const;
    /// Oldest first, at most kHistoryLimit.
    [[nodiscard]] std::vector<Transition> history() const;

    /// Applies a user's wish and remembers it. `done` (may be empty) gets the new state on control.
    void change(Change change, std::function<void(StatePtr)> done);
    /// The same for a coroutine of any executor: resumes there with the new state. Not cancellable,
    /// it takes a moment of the control thread.
    [[nodiscard]] boost::asio::awaitable<StatePtr> changed(Change change);

    /// What the machine's readings say now.
    void set_system(const monitors::SystemSnapshot& snapshot);
    /// A reloaded configuration; what the user has set stays.
    void set_config(std::shared_ptr<const config::Config> config);

    /// Calls with every new state, on control. Must end before the controller does.
    [[nodiscard]] Subscription subscribe(std::function<void(const StatePtr&)> observer);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::efficiency
