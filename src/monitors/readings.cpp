#include "monitors/readings.hpp"

#include "monitors/power_supply.hpp"

namespace ollama_proxy::monitors {

Readings read_machine(FileReader& sysfs) {
    Readings out;
    out.power = combine(read_supplies(sysfs));
    return out;
}

}  // namespace ollama_proxy::monitors
