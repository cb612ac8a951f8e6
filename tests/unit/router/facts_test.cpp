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
        return facts(wanted);
    }

    std::vector<CandidateFacts> facts(const Wanted& wanted) {
        const std::vector<Occupancy> occupancy(config_.backends.size());
        const Surroundings surroundings{
            nullptr, occupancy,
            [this](std::string_view, std::string_view model) { return model == in_use_; }};
        std::vector<CandidateFacts> out;
        refusals_.clear();
        gather_facts(generation(), wanted, surroundings, Clock::now(), out, &refusals_);
        return out;
    }
    /// The first backend's memory, in the order of these names, 2 GB each.
    void loads(const std::vector<std::string>& models, TimePoint asked) {
        auto catalog = std::make_shared<upstream::Catalog>(*(*this)[0].catalog());
        catalog->loaded.clear();
        for (const auto& name : models) {
            catalog->loaded.push_back({name, name, "{}", 2'000'000'000});
        }
        catalog->loaded_asked = asked;
        catalog->note_missed(*(*this)[0].catalog());
        (*this)[0].set_catalog(std::move(catalog));
    }
    /// The facts for `m` of somebody who was served by the first backend at `at`.
    std::vector<CandidateFacts> after_the_first(TimePoint at) {
        Wanted wanted = wanted_of(*generation().config, Api::chat_completions, "m");
        wanted.last_served = LastServed{generation().notes[0]->affinity, at};
        return facts(wanted);
    }

    std::string in_use_ = "nothing";
    std::vector<std::vector<Refusal>> refusals_;
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

TEST_F(FactsTest, EverythingThatSpeaksAgainstABackendIsToldWhereItIsWanted) {
    lists(0, {"other"});
    lists(1, {"m"});
    (*this)[0].park_until(Clock::now() + std::chrono::seconds(5));
    (*this)[0].set_health(upstream::Health::unhealthy, "gone");
    EXPECT_EQ(facts("m")[0].refusal, Refusal::unhealthy);
    EXPECT_EQ(refusals_[0],
              (std::vector{Refusal::unhealthy, Refusal::model_missing, Refusal::parked}));
    EXPECT_TRUE(refusals_[1].empty());
}

TEST_F(FactsTest, WhoWasServedSomewhereIsDrawnThere) {
    lists(0, {"m"});
    lists(1, {"m"});
    const TimePoint now = Clock::now();
    loads({"m:latest"}, now);
    EXPECT_FALSE(facts("m")[0].affinity.has_value()) << "nothing is known of this one";
    const auto seen = after_the_first(now);
    EXPECT_EQ(seen[0].affinity, 1);
    EXPECT_EQ(seen[1].affinity, 0);
}

TEST_F(FactsTest, NobodyIsDrawnToABackendThatIsGone) {
    lists(0, {"m"});
    lists(1, {"m"});
    Wanted wanted = wanted_of(*generation().config, Api::chat_completions, "m");
    wanted.last_served = LastServed{affinity_id("removed", "http://h:1"), Clock::now()};
    for (const auto& one : facts(wanted)) EXPECT_FALSE(one.affinity.has_value());
}

TEST_F(FactsTest, WhatWasCachedIsGoneOnceTheModelWasUnloadedAlsoWhenItIsBack) {
    lists(0, {"m"});
    lists(1, {"m"});
    const TimePoint served = Clock::now();
    loads({"m:latest"}, served - std::chrono::seconds(10));
    EXPECT_EQ(after_the_first(served)[0].affinity, 1);
    loads({}, served + std::chrono::seconds(10));
    EXPECT_FALSE(after_the_first(served)[0].affinity.has_value()) << "not in memory";
    loads({"m:latest"}, served + std::chrono::seconds(20));
    EXPECT_FALSE(after_the_first(served)[0].affinity.has_value()) << "loaded anew";
    EXPECT_EQ(after_the_first(served + std::chrono::seconds(15))[0].affinity, 1);
    loads({"m:latest"}, served + std::chrono::seconds(30));
    EXPECT_EQ(after_the_first(served + std::chrono::seconds(15))[0].affinity, 1);
}

TEST_F(FactsTest, LoadingCostsWhereItPushesOutAModelInUse) {
    config_.backends[0].model_capability.max_model_size_gb = 5;
    upstream::Catalog catalog;
    catalog.known = true;
    catalog.models.push_back({"m", "m:latest", 4'000'000'000, 0, {}, {}});
    (*this)[0].set_catalog(std::make_shared<const upstream::Catalog>(catalog));
    const TimePoint now = Clock::now();
    EXPECT_EQ(facts("m")[0].swap_cost, 0) << "nothing is loaded";
    loads({"other:1b"}, now);
    EXPECT_EQ(facts("m")[0].swap_cost, 0) << "an idle model makes room";
    in_use_ = "other:1b";
    EXPECT_EQ(facts("m")[0].swap_cost, 0.25) << "1 of 4 GB fits only where it is";
    loads({"other:1b", "m:latest"}, now);
    EXPECT_EQ(facts("m")[0].swap_cost, 0) << "it is there already";
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
