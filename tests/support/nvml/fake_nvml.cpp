// A libnvidia-ml.so.1 for tests: one GPU, told what to say by the file that FAKE_NVML names, and
// writing down there what was asked of it.
//   celsius watts_mW energy_mJ fan_percent reasons mode     (mode: ok, hang, lost, noenergy)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

namespace {

struct State {
    unsigned celsius = 0;
    unsigned power = 0;
    unsigned long long energy = 0;
    unsigned fan = 0;
    unsigned long long reasons = 0;
    char mode[16] = "ok";
};

std::string path() {
    const char* name = std::getenv("FAKE_NVML");
    return name ? name : "";
}

State read_once() {
    State s;
    if (std::FILE* file = std::fopen(path().c_str(), "r")) {
        const int got = std::fscanf(file, "%u %u %llu %u %llu %15s", &s.celsius, &s.power,
                                    &s.energy, &s.fan, &s.reasons, s.mode);
        std::fclose(file);
        if (got != 6) std::strcpy(s.mode, "lost");
    }
    return s;
}

State state() {
    State s = read_once();
    while (std::strcmp(s.mode, "hang") == 0) {
        ::usleep(1000);
        s = read_once();
    }
    return s;
}

void note(const char* what) {
    if (std::FILE* file = std::fopen((path() + ".calls").c_str(), "a")) {
        std::fprintf(file, "%s\n", what);
        std::fclose(file);
    }
}

template <class T>
int answer(T* out, T value) {
    const State s = state();
    if (std::strcmp(s.mode, "lost") == 0) return 15;
    *out = value;
    return 0;
}

}  // namespace

extern "C" {
int nvmlInitWithFlags(unsigned flags) {
    note(flags == 2 ? "init" : "init-attach");
    return 0;
}
int nvmlInit_v2() { return nvmlInitWithFlags(0); }
int nvmlShutdown() {
    note("shutdown");
    return 0;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci, void** device) {
    note(pci);
    static int gpu;
    *device = &gpu;
    return std::strcmp(pci, "0000:01:00.0") == 0 ? 0 : 6;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    static int gpu;
    *device = &gpu;
    return index == 0 ? 0 : 2;
}
int nvmlDeviceGetTemperature(void*, unsigned, unsigned* out) {
    return answer(out, state().celsius);
}
int nvmlDeviceGetPowerUsage(void*, unsigned* out) { return answer(out, state().power); }
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* out) {
    if (std::strcmp(state().mode, "noenergy") == 0) return 3;
    return answer(out, state().energy);
}
int nvmlDeviceGetFanSpeed(void*, unsigned* out) { return answer(out, state().fan); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* out) {
    return answer(out, state().reasons);
}
}
