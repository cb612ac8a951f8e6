#include "http/routes.hpp"

#include "http/request.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::http {
namespace {

TEST(Routes, ArePathsAndNotPrefixesOfPaths) {
    EXPECT_EQ(find_route("/")->handler, Handler::root);
    EXPECT_EQ(find_route("/v1/models")->handler, Handler::models);
    EXPECT_EQ(find_route("/v1/models/a/b:c")->handler, Handler::model);
    EXPECT_EQ(find_route("/api/blobs/sha256:0")->handler, Handler::blob);
    for (const char* path : {"", "/v1/models/", "/api/blobs/", "/v1/chat/completions/", "/v1",
                             "/API/chat", "/api/chat?x", "//", "/healthz/x"}) {
        EXPECT_EQ(find_route(path), nullptr) << path;
    }
}

TEST(Routes, WhatChangesStateNeedsAdminAndWhatAsksModelsNeedsInference) {
    for (const char* path :
         {"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs/x"}) {
        EXPECT_EQ(find_route(path)->permission, Permission::admin) << path;
        EXPECT_FALSE(find_route(path)->verbs & kGet) << path;
    }
    for (const char* path :
         {"/v1/chat/completions", "/v1/messages", "/api/generate", "/api/show"}) {
        EXPECT_EQ(find_route(path)->permission, Permission::inference) << path;
        EXPECT_EQ(find_route(path)->verbs, kPost) << path;
    }
    for (const char* path : {"/", "/healthz", "/readyz"}) {
        EXPECT_EQ(find_route(path)->permission, Permission::none) << path;
    }
    for (const char* path : {"/health", "/backends", "/api/tags", "/v1/models", "/v1/models/x",
                             "/metrics", "/explain"}) {
        EXPECT_EQ(find_route(path)->permission, Permission::read) << path;
    }
}

TEST(Routes, ReadingTheModeNeedsReadAndSettingItAdmin) {
    EXPECT_EQ(find_route("/efficiency", kGet)->permission, Permission::read);
    EXPECT_EQ(find_route("/efficiency", kPost)->permission, Permission::admin);
    EXPECT_EQ(find_route("/efficiency", kDelete)->permission, Permission::read);
    EXPECT_EQ(verbs_of("/efficiency"), kGet | kHead | kPost);
    EXPECT_EQ(verbs_of("/nowhere"), 0);
}

TEST(Routes, AVerbIsSpelledExactly) {
    EXPECT_EQ(parse_verb("POST"), kPost);
    EXPECT_EQ(parse_verb("DELETE"), kDelete);
    for (const char* method : {"post", "PUT", "PATCH", "CONNECT", "", "GETX"}) {
        EXPECT_EQ(parse_verb(method), kNoVerb) << method;
    }
    EXPECT_EQ(allow_list(kGet | kHead | kOptions), "GET, HEAD, OPTIONS");
    EXPECT_EQ(allow_list(kPost | kDelete), "POST, DELETE");
}

TEST(Routes, ABlobsNameIsADigestAndNothingWithAPathInIt) {
    EXPECT_TRUE(is_blob_name("sha256:0aF9"));
    EXPECT_TRUE(is_blob_name("sha256-0af9"));
    for (const char* name : {"", "..", "a/b", "a%2fb", "a\\b", "a?b", "a b", "a;b"}) {
        EXPECT_FALSE(is_blob_name(name)) << name;
    }
}

Request request_of(std::string_view target) {
    codec::RequestHead head;
    head.method = "GET";
    head.target = target;
    Request request;
    read_request(head, TimePoint(), request);
    return request;
}

TEST(Routes, ATargetIsTakenApartIntoPathAndQuery) {
    struct Case {
        const char* target;
        const char* path;
        const char* query;
    };
    for (const Case& c : {Case{"/a/b?x=1?y", "/a/b", "x=1?y"}, Case{"/a?", "/a", ""},
                          Case{"http://h:1/a?x", "/a", "x"}, Case{"http://h", "/", ""},
                          Case{"http://h?x=/v1/models", "/", ""}, Case{"HTTPS://h/", "/", ""},
                          Case{"/a?u=http://h/b", "/a", "u=http://h/b"}, Case{"*", "*", ""}}) {
        EXPECT_EQ(request_of(c.target).path, c.path) << c.target;
        EXPECT_EQ(request_of(c.target).query, c.query) << c.target;
    }
}

TEST(Routes, NothingOfTheRequestBeforeIsLeft) {
    const std::string first =
        "POST /api/chat?x=1 HTTP/1.0\r\nHost: a\r\nOrigin: o\r\nSec-Fetch-Site: s\r\n"
        "Content-Encoding: gzip\r\nAuthorization: Bearer k\r\nX-Api-Key: " +
        std::string(4000, 'k') +
        "\r\nAccess-Control-Request-Headers: h\r\n"
        "Access-Control-Request-Private-Network: true\r\nX-Request-ID: mine\r\n"
        "Connection: close\r\nContent-Length: 5\r\n\r\n";
    const std::string second = "GET / HTTP/1.1\r\nHost: b\r\nX-Request-ID: next\r\n\r\n";
    codec::RequestHead head;
    Request used;
    ASSERT_EQ(codec::parse_request_head(first, {}, head).state, codec::HeadState::complete);
    read_request(head, TimePoint(Milliseconds(1)), used);
    EXPECT_EQ(used.query, "x=1");
    EXPECT_EQ(used.api_key.size(), 4000U);
    EXPECT_TRUE(used.private_network);

    ASSERT_EQ(codec::parse_request_head(second, {}, head).state, codec::HeadState::complete);
    Request fresh;
    read_request(head, TimePoint(Milliseconds(2)), fresh);
    read_request(head, TimePoint(Milliseconds(2)), used);
    EXPECT_EQ(used, fresh);
    EXPECT_LT(used.api_key.capacity(), 4000U) << "an idle connection does not hold it";
}

TEST(Routes, AnEmptyBodyIsNoBody) {
    Request request;
    request.framing = codec::Framing::length;
    EXPECT_FALSE(request.has_body());
    request.content_length = 1;
    EXPECT_TRUE(request.has_body());
    request.framing = codec::Framing::chunked;
    request.content_length = 0;
    EXPECT_TRUE(request.has_body());
}

}  // namespace
}  // namespace ollama_proxy::http
