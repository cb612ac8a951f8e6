#pragma once

#include "monitors/part.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// What one part's sensors say, with earlier values in the place of those that could not be read.
struct PartHeat {
    std::optional<double> celsius;
    std::optional<double> crit;
    SensorState state = SensorState::missing;
    std::optional<double> fan_rpm;
    std::optional<double> fan_percent;
    bool has_fan = false;
};

/// The last good value of every sensor. Pure.
class SensorMemory {
  public:
    /// Adds the parts that were there and are gone, empty, and to parts that lost a sensor that
    /// sensor, without a value. Parts of the same name are told apart. Forgets what has not been
    /// seen for 10 minutes.
    void complete(std::vector<Part>& parts, TimePoint now);

    /// Takes in what `part` tells now, appends its sensors to `out`, and sums it up. Values older
    /// than `keep` are not known any more.
    PartHeat take(const Part& part, Clock::duration keep, TimePoint now, std::vector<Sensor>& out);

  private:
    struct Remembered {
        std::optional<double> value;
        std::optional<double> extra;  ///< crit of a temperature, percent of a fan
        TimePoint at{};
    };
    struct Seen {
        Part part;
        TimePoint at{};
    };
    Sensor recall(const Part& part, const std::string& label, SensorKind kind,
                  std::optional<double> value, std::optional<double>& extra, Clock::duration keep,
                  TimePoint now);

    std::map<std::string, Remembered> values_;  ///< by the part's key and the label
    std::map<std::string, Seen> parts_;         ///< by key
};

}  // namespace ollama_proxy::monitors
