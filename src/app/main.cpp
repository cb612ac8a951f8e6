#include "app/check_config.hpp"
#include "app/commands.hpp"
#include "app/load_configuration.hpp"
#include "app/options.hpp"
#include "app/serve.hpp"

#include <cstdio>
#include <exception>
#include <unistd.h>

using namespace ollama_proxy;

namespace {

int check_config(const app::Options& options, const config::Environment& environment) {
    const auto report = app::check_config_text(app::load_configuration(options, environment));
    std::fputs(report.out.c_str(), stdout);
    return report.exit_code;
}

int ask_daemon(const app::Options& options, const config::Environment& environment) {
    const bool colour = app::wants_colour(environment, ::isatty(STDOUT_FILENO) == 1);
    const auto report = app::run_command(options, environment, colour);
    std::fputs(report.out.c_str(), stdout);
    std::fputs(report.error.c_str(), stderr);
    return report.exit_code;
}

int run(const app::Options& options) {
    const auto environment = config::Environment::from_process();
    switch (options.command) {
        case app::Command::serve:
            return app::serve(options, environment);
        case app::Command::check_config:
            return check_config(options, environment);
        default:
            return ask_daemon(options, environment);
    }
}

}  // namespace

int main(int argc, char** argv) try {
    const auto parsed = app::parse_options({argv + 1, argv + argc});
    if (const auto* exit = std::get_if<app::Exit>(&parsed)) {
        std::fputs(exit->text.c_str(), exit->to_stderr ? stderr : stdout);
        return exit->code;
    }
    return run(std::get<app::Options>(parsed));
} catch (const std::exception& error) {
    std::fprintf(stderr, "ollama-proxy: %s\n", error.what());
    return 1;
}
