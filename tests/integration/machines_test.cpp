// Machines as the kernel shows them: what GET /thermal, /backends and /efficiency say of each.

#include "front_end.hpp"
#include "support/machine_tree.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

using nlohmann::json;

struct Expected {
    std::string name;
    std::function<test::MachineTree()> tree;
    json thermal;  ///< the answer of GET /thermal, without the ages of its readings
    std::string effective_mode;
    std::string reason;
    json system;        ///< the same object of GET /efficiency
    json temperatures;  ///< of GET /backends by id, those that are not null
};

void PrintTo(const Expected& expected, std::ostream* out) { *out << expected.name; }

json sensor(const char* name, const char* kind, json value, const char* state = "ok") {
    return {{"name", name}, {"kind", kind}, {"value", std::move(value)}, {"state", state}};
}

json thermal(json cpu, json gpu, json rpm, json state, json sensors) {
    return {{"cpu_temperature_c", std::move(cpu)}, {"gpu_temperature_c", std::move(gpu)},
            {"fan_speed_rpm", std::move(rpm)},     {"thermal_state", std::move(state)},
            {"throttled_backends", json::array()}, {"last_thermal_event", nullptr},
            {"sensors", std::move(sensors)}};
}

json system(json on_battery, json level, json cpu) {
    return {{"on_battery", std::move(on_battery)},
            {"battery_level", std::move(level)},
            {"cpu_temp_c", std::move(cpu)},
            {"power_profile", nullptr}};
}

/// Every value of the Intel laptop is this.
test::MachineTree garbage(const std::string& nonsense) {
    test::MachineTree tree = test::intel_laptop();
    // what is full of nothing would be a plausible battery
    tree.remove("class/power_supply/BAT0/energy_");
    for (auto& [path, text] : tree.files) {
        const std::string file = path.substr(path.rfind('/') + 1);
        const bool is_name = file == "name" || file == "type" || file == "runtime_status" ||
                             file.ends_with("_label");
        if (!is_name) text = nonsense;
    }
    return tree;
}

/// Stands for a file that opens and whose reading is EIO.
const std::string kReadFails = "reading it fails";

/// Reading any value of it fails: EIO, EISDIR, or nothing is in it.
test::MachineTree unreadable() {
    test::MachineTree tree = test::desktop();
    std::map<std::string, std::string> kept;
    std::size_t next = 0;
    for (const auto& [path, text] : tree.files) {
        const std::string file = path.substr(path.rfind('/') + 1);
        if (file == "name" || file.ends_with("_label") || file == "runtime_status") {
            kept[path] = text;
        } else if (file.ends_with("_input") || file.ends_with("_average")) {
            const std::array<std::pair<std::string, std::string>, 3> ways{
                {{path, kReadFails}, {path + "/x", ""}, {path, ""}}};
            kept.insert(ways[next++ % ways.size()]);
        }
    }
    tree.files = std::move(kept);
    return tree;
}

void write(const test::MachineTree& tree, const std::filesystem::path& root) {
    tree.write_to(root);
    for (const auto& [path, text] : tree.files) {
        if (text != kReadFails) continue;
        std::filesystem::remove(root / path);
        // nothing is mapped at address 0: the kernel says EIO
        std::filesystem::create_symlink("/proc/self/mem", root / path);
    }
}

std::vector<Expected> machines() {
    std::vector<Expected> all{
        {"IntelLaptop",
         test::intel_laptop,
         thermal(52, nullptr, 2400, "normal",
                 {sensor("coretemp Package id 0", "temperature", 52),
                  sensor("thinkpad fan1", "fan", 2400),
                  sensor("nvidia 0000:01:00.0", "temperature", nullptr, "asleep")}),
         "Efficiency",
         "battery-42",
         system(true, 42, 52),
         {{"cpu", 52}}},
        {"AmdLaptop",
         test::amd_laptop,
         thermal(61.125, 57, nullptr, "normal",
                 {sensor("k10temp 0000:00:18.3 Tctl", "temperature", 61.125),
                  sensor("amdgpu 0000:03:00.0 edge", "temperature", 57),
                  sensor("amdgpu 0000:03:00.0 junction", "temperature", 63),
                  sensor("amdgpu 0000:03:00.0 power", "power", 31),
                  sensor("amdgpu 0000:05:00.0 edge", "temperature", 48),
                  sensor("amdgpu 0000:05:00.0 power", "power", 9)}),
         // 80 % of a small battery and 20 % of a large one
         "Balanced",
         "ac-connected",
         system(false, 40, 61.125),
         {{"igpu", 48}, {"amd", 57}, {"cpu", 61.125}}},
        {"Desktop",
         test::desktop,
         thermal(55.5, 66, 1480, "normal",
                 {sensor("zenpower 0000:00:18.3 Tdie", "temperature", 55.5),
                  sensor("nct6798 fan1", "fan", 820), sensor("nct6798 fan2", "fan", 1480),
                  sensor("nct6798 fan3", "fan", 0), sensor("nct6798 fan7", "fan", 0),
                  sensor("amdgpu 0000:0a:00.0 edge", "temperature", 66),
                  sensor("amdgpu 0000:0a:00.0 fan1", "fan", 1200),
                  sensor("amdgpu 0000:0a:00.0 power", "power", 140)}),
         "Performance",
         "ac-connected",
         system(false, nullptr, 55.5),
         {{"amd", 66}, {"cpu", 55.5}}},
        {"RaspberryPi",
         test::raspberry_pi,
         thermal(58.426, nullptr, 3012, "normal",
                 {sensor("pwmfan fan1", "fan", 3012),
                  sensor("cpu-thermal thermal_zone0", "temperature", 58.426)}),
         "Performance",
         "ac-connected",
         system(false, nullptr, 58.426),
         {{"cpu", 58.426}}},
        {"VirtualMachine", test::virtual_machine,
         thermal(nullptr, nullptr, nullptr, nullptr, json::array()), "Performance", "ac-connected",
         system(false, nullptr, nullptr), json::object()},
        {"Unreadable", unreadable,
         thermal(nullptr, nullptr, nullptr, nullptr,
                 {sensor("zenpower 0000:00:18.3 Tdie", "temperature", nullptr, "missing"),
                  sensor("nct6798 fan1", "fan", nullptr, "missing"),
                  sensor("nct6798 fan2", "fan", nullptr, "missing"),
                  sensor("nct6798 fan3", "fan", nullptr, "missing"),
                  sensor("nct6798 fan7", "fan", nullptr, "missing"),
                  sensor("amdgpu 0000:0a:00.0 edge", "temperature", nullptr, "missing"),
                  sensor("amdgpu 0000:0a:00.0 fan1", "fan", nullptr, "missing"),
                  sensor("amdgpu 0000:0a:00.0 power", "power", nullptr, "missing")}),
         "Performance", "ac-connected", system(false, nullptr, nullptr), json::object()}};
    const std::array<std::pair<const char*, const char*>, 6> nonsense{{{"Empty", ""},
                                                                       {"MinusOne", "-1"},
                                                                       {"Huge", "9999999"},
                                                                       {"Word", "warm"},
                                                                       {"Hexadecimal", "0x34"},
                                                                       {"Fraction", "1e9"}}};
    for (const auto& [name, text] : nonsense) {
        all.push_back({"Garbage" + std::string(name), [text] { return garbage(text); },
                       thermal(nullptr, nullptr, nullptr, nullptr,
                               {sensor("coretemp Package id 0", "temperature", nullptr, "missing"),
                                sensor("thinkpad fan1", "fan", nullptr, "missing"),
                                sensor("nvidia 0000:01:00.0", "temperature", nullptr, "asleep")}),
                       "Balanced", "power-unknown", system(nullptr, nullptr, nullptr),
                       json::object()});
    }
    return all;
}

class Machines : public testing::TestWithParam<Expected> {};

TEST_P(Machines, AreShownAsTheyAreWithNullForWhatIsNotThere) {
    const Expected& expected = GetParam();
    const support::TempDir sysfs;
    write(expected.tree(), sysfs.path());
    std::vector<std::string> backends;
    for (const char* hardware : {"npu", "igpu", "nvidia", "amd", "cpu"}) {
        backends.push_back(
            support::backend_yaml(hardware, 9, "hardware: " + std::string(hardware) + "\n"));
    }
    const TestDaemon daemon(support::config_yaml(
        backends, "efficiency: {default_mode: Auto}\nmonitors: {nvml: false, sysfs_root: \"" +
                      sysfs.path().string() + "\", proc_root: \"" + sysfs.path().string() +
                      "/proc\"}\n"));
    const auto get = [&](std::string_view path) {
        return json::parse(support::http_get(daemon.port(), path).body);
    };
    json shown;
    json temperatures;
    const bool as_expected = support::eventually([&] {
        shown = get("/thermal");
        for (json& one : shown["sensors"]) one.erase("age_ms");
        temperatures = json::object();
        const json backends_now = get("/backends");  // named: a part of a temporary would dangle
        for (const json& one : backends_now["backends"]) {
            if (!one["temperature_c"].is_null()) temperatures[one["id"]] = one["temperature_c"];
        }
        return shown == expected.thermal && temperatures == expected.temperatures &&
               get("/efficiency")["reason"] == expected.reason;
    });
    EXPECT_TRUE(as_expected) << shown.dump(1) << temperatures;
    const json mode = get("/efficiency");
    EXPECT_EQ(mode["mode"], "Auto");
    EXPECT_EQ(mode["effective_mode"], expected.effective_mode);
    EXPECT_EQ(mode["reason"], expected.reason);
    EXPECT_EQ(mode["system_state"], expected.system);
}

/// Every file goes while it is looked at, and nothing is left in the end.
TEST(VanishingMachine, LeavesStaleValuesBehindAndThenNone) {
    const support::TempDir sysfs;
    test::amd_laptop().write_to(sysfs.path());
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("amd", 9, "hardware: amd\n")},
                             "efficiency: {default_mode: Auto}\n"
                             "monitors: {interval_ms: 100, idle_interval_ms: 100, sysfs_root: \"" +
                                 sysfs.path().string() + "\"}\n"));
    const auto thermal_now = [&] {
        return json::parse(support::http_get(daemon.port(), "/thermal").body);
    };
    ASSERT_TRUE(support::eventually([&] { return thermal_now()["gpu_temperature_c"] == 57; }));
    for (const char* part : {"devices/pci0000:00/0000:00:01.1", "class/power_supply", "class/drm",
                             "devices", "class"}) {
        std::filesystem::remove_all(sysfs.path() / part);
        EXPECT_EQ(support::http_get(daemon.port(), "/thermal").status, 200);
    }
    ASSERT_TRUE(support::eventually([&] { return thermal_now()["gpu_temperature_c"].is_null(); }));
    json shown;
    EXPECT_TRUE(support::eventually([&] {
        shown = thermal_now();
        return shown["cpu_temperature_c"].is_null() && shown["thermal_state"].is_null();
    }));
    EXPECT_EQ(shown["sensors"].size(), 6U) << shown.dump(1);  // it says what is missing
    for (const json& one : shown["sensors"]) {
        EXPECT_TRUE(one["value"].is_null() || one["state"] == "stale") << one;
    }
    EXPECT_TRUE(daemon.backend("amd")->at("temperature_c").is_null());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Machines, testing::ValuesIn(machines()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ollama_proxy::front_end
