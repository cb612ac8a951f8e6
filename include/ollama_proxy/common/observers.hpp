#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ollama_proxy {

/// Who wants to hear of each new `T`. Observers are called one after another on the thread that
/// notifies; they are for handing the news on (a post), not for work. Thread: any.
template <class T>
class Observers {
    using Function = std::function<void(const T&)>;

    /// Its mutex is held during the call, so that after `Subscription` has died the function does
    /// not run and will not run again.
    struct Observer {
        explicit Observer(Function f) : function(std::move(f)) {}
        std::mutex mutex;
        Function function;
    };

  public:
    /// As long as it lives the function is called. Must not die inside its own function.
    class Subscription {
      public:
        Subscription() = default;
        Subscription(Subscription&&) noexcept = default;
        Subscription& operator=(Subscription&& other) noexcept {
            if (this != &other) {
                end();
                observer_ = std::move(other.observer_);
            }
            return *this;
        }
        ~Subscription() { end(); }

      private:
        friend class Observers;
        explicit Subscription(std::shared_ptr<Observer> observer)
            : observer_(std::move(observer)) {}
        void end() {
            if (!observer_) return;
            {
                std::lock_guard lock(observer_->mutex);
                observer_->function = nullptr;
            }
            observer_.reset();
        }
        std::shared_ptr<Observer> observer_;
    };

    [[nodiscard]] Subscription subscribe(Function function) {
        auto observer = std::make_shared<Observer>(std::move(function));
        std::lock_guard lock(mutex_);
        std::erase_if(observers_, [](const auto& one) { return one.expired(); });
        observers_.push_back(observer);
        return Subscription(std::move(observer));
    }

    void notify(const T& news) const {
        std::vector<std::weak_ptr<Observer>> all;
        {
            std::lock_guard lock(mutex_);
            all = observers_;
        }
        for (const auto& one : all) {
            const auto observer = one.lock();
            if (!observer) continue;
            std::lock_guard lock(observer->mutex);
            if (observer->function) observer->function(news);
        }
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::weak_ptr<Observer>> observers_;
};

}  // namespace ollama_proxy
