#include "monitors/nvml.hpp"

#include "ollama_proxy/telemetry/log.hpp"

#include <dlfcn.h>
#include <map>

namespace ollama_proxy::monitors {
namespace {

// From NVIDIA's NVML reference: only what is asked for here.
using Device = void*;
using ReturnCode = int;
constexpr ReturnCode kSuccess = 0;
constexpr ReturnCode kGpuIsLost = 15;
constexpr unsigned kNoAttach = 2;                        // NVML_INIT_FLAG_NO_ATTACH: touches no GPU
constexpr unsigned kGpuTemperature = 0;                  // NVML_TEMPERATURE_GPU
constexpr unsigned long long kSlowdownReasons = 0x08     // HW slowdown
                                                | 0x20   // SW thermal slowdown
                                                | 0x40   // HW thermal slowdown
                                                | 0x80;  // HW power brake

template <class Value>
using Getter = ReturnCode (*)(Device, Value*);

}  // namespace

/// Used on the lane's thread alone; a job that hangs keeps it alive.
struct Nvml::Library {
    explicit Library(std::string n) : name(std::move(n)) {}
    ~Library() {
        if (handle) ::dlclose(handle);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    template <class Function>
    void find(Function& function, const char* symbol) {
        function = reinterpret_cast<Function>(::dlsym(handle, symbol));
    }

    bool load() {
        if (handle) return true;
        handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!handle) return false;
        find(init_with_flags, "nvmlInitWithFlags");
        find(shutdown, "nvmlShutdown");
        find(by_pci, "nvmlDeviceGetHandleByPciBusId_v2");
        find(by_index, "nvmlDeviceGetHandleByIndex_v2");
        find(power, "nvmlDeviceGetPowerUsage");
        find(energy, "nvmlDeviceGetTotalEnergyConsumption");
        find(fan, "nvmlDeviceGetFanSpeed");
        find(temperature, "nvmlDeviceGetTemperature");
        find(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
        return init_with_flags && shutdown && by_pci && by_index;
    }

    bool take_hold() {
        if (held) return true;
        if (!load()) return false;
        held = init_with_flags(kNoAttach) == kSuccess;
        return held;
    }

    void let_go() {
        if (held) shutdown();
        held = false;
        devices.clear();
    }

    template <class Value>
    std::optional<double> get(Getter<Value> getter, Device device, double unit) {
        Value value{};
        if (!getter) return std::nullopt;
        const ReturnCode code = getter(device, &value);
        if (code == kGpuIsLost) lost = true;
        if (code != kSuccess) return std::nullopt;
        return static_cast<double>(value) * unit;
    }

    Device device(const std::string& gpu) {
        const auto known = devices.find(gpu);
        if (known != devices.end()) return known->second;
        Device found = nullptr;
        const ReturnCode code =
            gpu.starts_with('#')
                ? by_index(static_cast<unsigned>(std::stoul(gpu.substr(1))), &found)
                : by_pci(gpu.c_str(), &found);
        if (code != kSuccess) return nullptr;
        devices[gpu] = found;
        return found;
    }

    NvmlFacts read(const std::string& gpu) {
        NvmlFacts out;
        const Device found = device(gpu);
        if (!found) return out;
        unsigned celsius = 0;
        if (temperature && temperature(found, kGpuTemperature, &celsius) == kSuccess &&
            celsius > 0 && celsius < 150) {
            out.celsius = celsius;
        }
        out.watts = get(power, found, 1e-3);
        out.joules = get(energy, found, 1e-3);
        out.fan_percent = get(fan, found, 1);
        unsigned long long reasons = 0;
        if (throttle_reasons && throttle_reasons(found, &reasons) == kSuccess) {
            out.slows_down = (reasons & kSlowdownReasons) != 0;
        }
        return out;
    }

    const std::string name;
    void* handle = nullptr;
    bool held = false;
    bool lost = false;
    std::map<std::string, Device> devices;

    ReturnCode (*init_with_flags)(unsigned) = nullptr;
    ReturnCode (*shutdown)() = nullptr;
    ReturnCode (*by_pci)(const char*, Device*) = nullptr;
    ReturnCode (*by_index)(unsigned, Device*) = nullptr;
    ReturnCode (*temperature)(Device, unsigned, unsigned*) = nullptr;
    Getter<unsigned> power = nullptr;
    Getter<unsigned long long> energy = nullptr;
    Getter<unsigned> fan = nullptr;
    Getter<unsigned long long> throttle_reasons = nullptr;
};

Nvml::Nvml(std::string library, Clock::duration limit)
    : limit_(limit), library_(std::make_shared<Library>(std::move(library))) {}

Nvml::~Nvml() { release(); }

void Nvml::give_up(const std::string& why) {
    given_up_ = true;
    telemetry::log_warn("NVIDIA's GPUs are not read from now on: what they do is not known",
                        {{"reason", why}});
}

std::vector<NvmlFacts> Nvml::read(const std::vector<std::string>& gpus) {
    if (given_up_ || gpus.empty()) return {};
    struct Answer {
        bool loaded = false;
        bool held = false;
        bool lost = false;
        std::vector<NvmlFacts> facts;
    };
    const auto answer = std::make_shared<Answer>();
    const bool done = lane_.run(
        [library = library_, gpus, answer] {
            answer->loaded = library->load();
            answer->held = answer->loaded && library->take_hold();
            if (!answer->held) return;
            library->lost = false;
            for (const std::string& gpu : gpus) answer->facts.push_back(library->read(gpu));
            answer->lost = library->lost;
            // a GPU that fell off the bus needs a new beginning
            if (answer->lost) library->let_go();
        },
        limit_);
    if (!done) {
        give_up("libnvidia-ml does not answer");
        return {};
    }
    if (!answer->loaded) give_up("libnvidia-ml.so.1 cannot be loaded");
    held_ = answer->held && !answer->lost;
    return answer->facts;
}

void Nvml::release() {
    if (!held_ || given_up_) return;
    held_ = false;
    const bool done = lane_.run([library = library_] { library->let_go(); }, limit_);
    if (!done) give_up("libnvidia-ml does not answer");
}

}  // namespace ollama_proxy::monitors
