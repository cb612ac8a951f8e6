#pragma once

#include "support/daemon.hpp"
#include "support/exposition.hpp"
#include "support/raw_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::support {

inline Exposition page_of(const TestDaemon& daemon) {
    const auto reply = http_get(daemon.port(), "/metrics");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    Exposition page(reply.body);
    EXPECT_THAT(page.problems, ::testing::IsEmpty());
    return page;
}

/// What changes from one page to the next: all daemons of this process count in the same registry.
class Growth {
  public:
    explicit Growth(const TestDaemon& daemon) : daemon_(daemon), before_(page_of(daemon)) {}
    [[nodiscard]] double of(const std::string& name, const Exposition::Labels& labels = {}) const {
        return page_of(daemon_).sum(name, labels) - before_.sum(name, labels);
    }

  private:
    const TestDaemon& daemon_;
    Exposition before_;
};

}  // namespace ollama_proxy::support
