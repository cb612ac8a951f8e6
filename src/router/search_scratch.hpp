#pragma once

#include "router/router_impl.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace ollama_proxy::router {

/// The lists that a search fills and throws away. Their memory goes from request to request of the
/// same worker: they are allocated as often as requests run at once, not as often as they come.
struct SearchScratch {
    Router::Impl::Ranking ranking;
    std::vector<bool> tried;           ///< by index of the backend
    std::vector<Place> places;         ///< where it may go, best first
    std::vector<std::uint32_t> order;  ///< and which backend each of them is
    std::vector<Place> next_places;    ///< the same while it is being found out
    std::vector<std::uint32_t> next_order;
};

/// One search's loan of these. Thread: lives and dies on one worker.
class ScratchLease {
  public:
    ScratchLease() {
        if (spare().empty()) {
            scratch_ = std::make_unique<SearchScratch>();
        } else {
            scratch_ = std::move(spare().back());
            spare().pop_back();
        }
    }
    ScratchLease(const ScratchLease&) = delete;
    ScratchLease& operator=(const ScratchLease&) = delete;
    ~ScratchLease() {
        if (spare().size() >= kKept) return;
        // what it says is of a generation that may be gone
        scratch_->ranking.clear();
        scratch_->places.clear();
        scratch_->next_places.clear();
        spare().push_back(std::move(scratch_));
    }
    SearchScratch* operator->() const { return scratch_.get(); }

  private:
    static constexpr std::size_t kKept = 32;
    static std::vector<std::unique_ptr<SearchScratch>>& spare() {
        thread_local std::vector<std::unique_ptr<SearchScratch>> kept;
        return kept;
    }

    std::unique_ptr<SearchScratch> scratch_;
};

}  // namespace ollama_proxy::router
