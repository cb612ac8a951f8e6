#pragma once

#include "router/router_impl.hpp"
#include "router/search_scratch.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

/// Everything about one request while it looks for an answer.
class Search {
  public:
    Search(Router::Impl& router, const InferenceRequest& request, const RequestContext& context,
           RouteInfo& info)
        : router_(router),
          request_(request),
          context_(context),
          info_(info),
          now_(Clock::now()),
          applicant_{request.hints.priority, context.client, now_, router.admission.next_ticket()},
          generation_(router.generation.load()),
          wanted_(wanted_of(*generation_->config, request.api, request.scan.model)),
          affinity_(affinity_of(*generation_, wanted_, request)),
          tried_(scratch_->tried),
          ranking_(scratch_->ranking),
          places_(scratch_->places),
          order_(scratch_->order),
          next_places_(scratch_->next_places),
          next_order_(scratch_->next_order) {
        tried_.assign(generation_->backends->backends.size(), false);
        wanted_.tried = &tried_;
    }

    boost::asio::awaitable<Result<ResponseStream>> run();

  private:
    using Answer = std::unique_ptr<ResponseStream::Impl>;

    /// What one backend is sent: views into the request.
    struct Body {
        codec::Api api;
        std::string_view text;
        const codec::RequestScan& scan;
    };

    [[nodiscard]] Body body_for(const upstream::Backend& backend) const;
    void note_decision();
    void rank();
    Result<void> find_target();
    [[nodiscard]] Place place_at(std::uint32_t index) const;
    [[nodiscard]] std::optional<Clock::duration> wait_at(std::uint32_t index,
                                                         const Place& place) const;
    [[nodiscard]] bool is_better_waited_for(const RankedCandidate& cold) const;
    std::optional<Admitted> choose_places(bool take);
    void note_given_to(std::uint32_t index);
    void note_chosen(std::uint32_t index);
    std::optional<Admitted> admit_now();
    boost::asio::awaitable<Result<std::optional<Admitted>>> admit();
    Result<void> adopt_configuration();
    void tell_who_waits(const upstream::Backend& backend) const;
    boost::asio::awaitable<std::optional<ResponseStream>> ask_preemptibly(Answer& answer);
    boost::asio::awaitable<std::optional<ResponseStream>> ask_as_fits(Answer& answer,
                                                                      std::uint32_t index);
    [[nodiscard]] Answer begin(std::uint32_t index, Permit&& permit);
    boost::asio::awaitable<std::optional<ResponseStream>> ask(Answer& answer);
    static void charge_on(const boost::asio::any_io_executor& executor, Permit permit);

    struct Race;
    [[nodiscard]] std::optional<Clock::duration> hedge_after(std::uint32_t index) const;
    boost::asio::awaitable<std::optional<ResponseStream>> ask_hedged(Answer& answer,
                                                                     std::uint32_t index,
                                                                     Clock::duration patience);
    void drop_failed(Answer& answer, std::uint32_t index) const;
    boost::asio::awaitable<void> run_first(Race& race, Answer& answer, std::uint32_t index);
    boost::asio::awaitable<void> run_second(Race& race, Clock::duration patience);
    std::optional<Admitted> free_elsewhere();
    void note_slow(std::uint32_t index, Clock::duration at_least) const;

    static void begin_fill(Answer& answer);
    static bool take_at_hand(Answer& answer);
    bool finish_whole(Answer& answer);
    boost::asio::awaitable<bool> fill_stream(Answer& answer);
    boost::asio::awaitable<bool> fill_whole(Answer& answer);
    void open_failed(const upstream::OpenError& failure, AttemptRecord& outcome);
    void note_answer(ResponseStream::Impl& answer);
    bool judge(Answer& answer, const std::string& retry_after);
    void keep(Answer answer);
    void note_failure(Error error);
    [[nodiscard]] bool only_the_model_is_missing() const;
    Result<ResponseStream> give_up();

    Router::Impl& router_;
    const InferenceRequest& request_;
    const RequestContext& context_;
    RouteInfo& info_;
    TimePoint now_;  ///< of this step: the clock is read once after each wait
    const Applicant applicant_;
    std::shared_ptr<const Generation> generation_;
    Wanted wanted_;
    const AffinityKeys affinity_;
    std::optional<std::uint32_t> target_;
    const ScratchLease scratch_;  ///< of the six below
    std::vector<bool>& tried_;
    Router::Impl::Ranking& ranking_;
    std::vector<Place>& places_;
    std::vector<std::uint32_t>& order_;
    std::vector<Place>& next_places_;
    std::vector<std::uint32_t>& next_order_;
    Clock::duration waited_{};        ///< in the queue, so far
    bool returning_ = false;          ///< it was in the queue before
    bool new_configuration_ = false;  ///< it has to adopt one before it goes on
    RetryBudget::Lease lease_;

    unsigned attempts_ = 0;  ///< answers and timeouts so far
    bool may_retry_ = true;
    bool probed_ = false;
    Answer first_error_;            ///< the first backend answer that was an error, for the end
    Answer missing_;                ///< the first 404 for the model, if nothing worse happened
    std::optional<Error> failure_;  ///< the gravest failure without an answer
    int retry_after_s_ = 0;         ///< longest seen
};

}  // namespace ollama_proxy::router
