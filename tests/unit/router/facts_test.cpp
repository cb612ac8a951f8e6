#include "router/facts.hpp"

#include "router/router_impl.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

using codec::Api;

class FactsTest : public testing::Test {
  protected:
    FactsTest() {
        config_.backends = {backend("a", config::BackendType::ollama),
                            backend("b", config::BackendType::openai)};
    }
    static config::Backend backend(std::string id, config::BackendType type) {
        config::Backend out;
        out.id = std::move(id);
        out.type = type;
        return out;
    }
    upstream::Backend& operator[](std::size_t i) { return *generation().backends->backends[i]; }
    const Generation& generation() {
        if (!generation_)
            generation_ = make_generation(std::make_shared<config::Config>(config_), learning_);
        return *generation_;
    }
    void lists(std::size_t i, std::vector<std::string> models) {
        upstream::Catalog catalog;
        catalog.known = true;
        for (auto& name : models) {
            upstream::Model model;
            model.key = upstream::model_key(config_.backends[i].type, name);
            model.name = std::move(name);
            catalog.models.push_back(std::move(model));
        }
        (*this)[i].set_catalog(std::make_shared<const upstream::Catalog>(std::move(catalog)));
    }
    std::vector<CandidateFacts> facts(const std::string& model, Api api = Api::chat_completions,
                                      const std::vector<bool>* tried = nullptr) {
        Wanted wanted = wanted_of(*generation().config, api, model);
        wanted.tried = tried;
        std::vector<Occupancy> occupancy(config_.backends.size());
        std::vector<CandidateFacts> out;
        const auto policy = efficiency::builtin_policy(config::Mode::balanced);
        gather_facts(generation(), wanted, policy, nullptr, occupancy, 0, Clock::now(), out);
        return out;
    }

    config::Config config_;
    boost::asio::io_context control_;
    Learning learning_{control_, config_};
    std::shared_ptr<const Generation> generation_;
};

TEST_F(FactsTest, NamesAreReadAsTheBackendReadsThem) {
    lists(0, {"Llama3:latest"});
    lists(1, {"llama3"});
    EXPECT_EQ(facts("llama3")[0].refusal, Refusal::none);
    EXPECT_EQ(facts("llama3")[1].refusal, Refusal::none);
    EXPECT_EQ(facts("LLAMA3")[0].refusal, Refusal::none);
    EXPECT_EQ(facts("LLAMA3")[1].refusal, Refusal::model_missing);
}

TEST_F(FactsTest, A404ForTheModelCountsAlsoWhereNoCatalogWasHad) {
    EXPECT_EQ(facts("m")[0].refusal, Refusal::none) << "nothing is known yet";
    (*this)[0].mark_absent("m:latest");
    EXPECT_EQ(facts("m")[0].refusal, Refusal::model_missing);
    EXPECT_EQ(facts("other")[0].refusal, Refusal::none);
    (*this)[0].clear_absent();
    EXPECT_EQ(facts("m")[0].refusal, Refusal::none);
}

TEST_F(FactsTest, SaysWhyABackendIsNotAsked) {
    lists(0, {"m"});
    lists(1, {"m"});
    const std::vector<bool> tried{true, false};
    EXPECT_EQ(facts("m", Api::chat_completions, &tried)[0].refusal, Refusal::already_tried);
    EXPECT_EQ(facts("m", Api::ollama_chat)[1].refusal, Refusal::api_missing)
        << "only Ollama has the native API";
    (*this)[1].mark_lacking(Api::messages);
    EXPECT_EQ(facts("m", Api::messages)[1].refusal, Refusal::api_missing);
    EXPECT_EQ(facts("m", Api::responses)[1].refusal, Refusal::none);
    (*this)[1].park_until(Clock::now() + std::chrono::seconds(5));
    EXPECT_EQ(facts("m")[1].refusal, Refusal::parked);
    (*this)[1].set_health(upstream::Health::unhealthy, "gone");
    EXPECT_EQ(facts("m")[1].refusal, Refusal::unhealthy);
}

TEST_F(FactsTest, AnAliasIsTheModelThatItStandsFor) {
    config_.router.aliases["gpt"] = "m";
    lists(0, {"m"});
    lists(1, {"gpt"});
    const auto seen = facts("gpt");
    EXPECT_EQ(seen[0].refusal, Refusal::none);
    EXPECT_EQ(seen[1].refusal, Refusal::model_missing);
    EXPECT_TRUE(seen[0].target_by_alias);
}

TEST_F(FactsTest, WhoMustWaitIsToldHowLong) {
    lists(0, {"m"});
    lists(1, {"m"});
    const auto seconds = [&] {
        const auto all = facts("m");
        Decision decision;
        for (std::uint32_t i = 0; i < all.size(); ++i) {
            RankedCandidate one;
            one.index = i;
            one.refusal = all[i].refusal;
            decision.refused.push_back(one);
        }
        const Wanted wanted = wanted_of(config_, Api::chat_completions, "m");
        const Error error = nobody_error(generation(), wanted, {}, decision, all, Clock::now());
        EXPECT_EQ(error.code, Errc::no_available_backends);
        return error.retry_after_s;
    };
    (*this)[0].set_health(upstream::Health::unhealthy, "gone");
    (*this)[1].set_health(upstream::Health::unhealthy, "gone");
    EXPECT_EQ(seconds(), 5);
    (*this)[0].set_health(upstream::Health::healthy, "");
    (*this)[0].park_until(Clock::now() + std::chrono::seconds(40));
    EXPECT_EQ(seconds(), 40);
    (*this)[1].set_health(upstream::Health::healthy, "");
    (*this)[1].park_until(Clock::now() + std::chrono::seconds(2));
    EXPECT_EQ(seconds(), 2) << "the first who may be asked again";
}

TEST_F(FactsTest, WhatWasLearnedOfAModelReplacesWhatIsConfigured) {
    config_.backends[0].characteristics.avg_latency = Milliseconds(400);
    lists(0, {"m"});
    lists(1, {"m"});
    EXPECT_EQ(facts("m")[0].latency_ms, 400);
    EXPECT_TRUE(facts("m")[0].cold) << "its catalog says that nothing is loaded";
    EXPECT_FALSE(facts("m")[1].cold) << "an openai backend does not tell";
    Observation seen;
    seen.cold_ms = 5000;
    seen.load_ms = 4500;
    for (int i = 0; i < 30; ++i)
        generation().notes[0]->learned->add("m:latest", seen, Clock::now());
    EXPECT_GT(facts("M")[0].latency_ms, 4000) << "names compare as the catalog does";
    EXPECT_NEAR(facts("m")[0].load_ms.value_or(0), 4500, 1);
    EXPECT_EQ(facts("other")[0].latency_ms, 400);
}

TEST_F(FactsTest, FailuresOfAModelCountAgainstItThere) {
    lists(0, {"m", "n"});
    Observation failed;
    failed.failed = true;
    for (int i = 0; i < 30; ++i) {
        generation().notes[0]->learned->add("m:latest", failed, Clock::now());
    }
    EXPECT_GT(facts("m")[0].error_share, 0.7);
    EXPECT_EQ(facts("n")[0].error_share, 0);
}

}  // namespace
}  // namespace ollama_proxy::router
