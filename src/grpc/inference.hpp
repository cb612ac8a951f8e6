#pragma once

#include "grpc/call.hpp"
#include "ollama_proxy.pb.h"
#include "ollama_proxy/codec/generation.hpp"
#include "ollama_proxy/router/router.hpp"

#include <boost/asio/awaitable.hpp>

namespace ollama_proxy::grpc_api {

// What inference methods share.

/// Bytes of an answer that is collected into one message.
inline constexpr std::size_t kMaxCollected = 64UL << 20;

/// The request in no dialect. Pure.
[[nodiscard]] codec::GenerationRequest wanted_generation(const GenerateRequest& request);
[[nodiscard]] codec::GenerationRequest wanted_generation(const ChatCompletionRequest& request);

/// Adds hints, id, authorization and fields to a request that was written for the router, and lets
/// it be routed.
/// `annotations` must live as long as the answer is awaited.
[[nodiscard]] boost::asio::awaitable<Result<router::ResponseStream>> open_answer(
    Call& call, router::InferenceRequest request, const Annotations& annotations,
    router::RouteInfo& info);

/// What an answer took so far. Pure.
void fill(Stats& out, const std::optional<monitors::EnergyCharge>& energy,
          const codec::AnswerSummary& summary, TimePoint received, TimePoint first_token,
          TimePoint now);

/// For the access log.
void note_answer(Call& call, const router::RouteInfo& info, const codec::AnswerSummary& summary);

}  // namespace ollama_proxy::grpc_api
