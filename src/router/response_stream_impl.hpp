#pragma once

#include "ollama_proxy/router/response_stream.hpp"
#include "ollama_proxy/upstream/exchange.hpp"
#include "router/admission.hpp"
#include "router/attempt_record.hpp"
#include "router/measurement.hpp"
#include "router/progress_lines.hpp"
#include "router/retry_budget.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace ollama_proxy::router {

struct ResponseStream::Impl {
    enum class Mode {
        whole,   ///< `body` is all of it
        events,  ///< SSE or NDJSON under a watcher
        raw,     ///< passed on unread: too large, or encoded
    };
    enum class Phase {
        first,      ///< `first` has not been handed out
        flowing,    ///< pull from the exchange
        last_tail,  ///< the transport ended cleanly and the tail went out: judge the end
        over,       ///< end or broken was reported
    };

    Mode mode = Mode::whole;
    Phase phase = Phase::first;
    codec::Api api = codec::Api::chat_completions;
    int status = 200;
    std::string fields;
    std::optional<std::uint64_t> length;
    std::string body;           ///< whole: the body
    std::string first;          ///< the piece that was read before the commit
    bool all_in_first = false;  ///< the transport has ended and `first` holds the tail too
    std::optional<upstream::Exchange> exchange;
    std::optional<codec::StreamWatcher> watcher;
    std::unique_ptr<ProgressLines> lines;  ///< raw: the progress of model management
    codec::AnswerFacts whole_facts;        ///< whole: facts of the body
    std::shared_ptr<upstream::Backend> backend;
    std::uint32_t index = 0;  ///< its place in the generation that the request uses
    AttemptRecord outcome;
    Measurement measured;
    RetryBudget::Lease retry;
    Permit permit;
    monitors::EnergyLedger::Work work;
    std::optional<monitors::EnergyCharge> charge;  ///< once the work is done
    double copy_joules = 0;  ///< what a second copy of the request drew, which was cancelled
    std::function<void()> on_success;  ///< model management: the catalog is stale now

    /// Only of answers that are translated.
    struct Decoding {
        explicit Decoding(codec::Api api) : decoder(api) {}
        codec::DeltaDecoder decoder;
        std::vector<codec::Delta> deltas;
        bool all_read = false;  ///< the deltas are the last ones: `end` comes next
    };
    std::unique_ptr<Decoding> decoding;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl();

    boost::asio::awaitable<Step> next();
    boost::asio::awaitable<DeltaStep> next_delta();
    DeltaStep decode_whole();
    DeltaStep decoding_failed(Error error);
    /// The transport ended cleanly: what was held back, with the `[DONE]` that lacks. Once; valid
    /// until anything is awaited on this worker.
    std::string_view take_tail();
    Step judge_end();
    /// An event of ours may follow what has been handed out.
    [[nodiscard]] bool at_boundary() const {
        return watcher ? watcher->at_boundary() : lines && lines->at_boundary();
    }
    Step broken(Error error, bool announce);
    void release();
    /// The backend is done with it: what it drew is known now.
    void end_work(TimePoint now);
    /// The copy's energy is this answer's too: both worked for it.
    void add_energy_of(Impl& copy);
};

/// Feeds the pieces of one read to the watcher; what may go on now, joined in `join` only when
/// there are several.
[[nodiscard]] codec::StreamWatcher::Release watch_pieces(codec::StreamWatcher& watcher,
                                                         std::span<const std::string_view> pieces,
                                                         std::string& join);

}  // namespace ollama_proxy::router
