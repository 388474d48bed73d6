#include "cli/profile_table.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/text.h"
#include "cli/table.h"

namespace attune {
namespace {

// Most bytes that the process has had in memory.
std::size_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

std::string profile_text(const Profile& profile, std::size_t width) {
  if (profile.n_steps() == 0)
    return "Nothing to profile: this command trained no trial. Another folder (-o) begins anew.\n";
  const double all = profile.seconds();
  const auto steps = static_cast<double>(profile.n_warm_steps());
  using Align = Table::Align;
  Table table({{"op"},
               {"", Align::left},
               {"calls", Align::right},
               {"ms", Align::right},
               {"share", Align::right},
               {"GF/s", Align::right},
               {"MB", Align::right}});
  std::size_t most = 0;
  const auto row = [&](std::string_view name, std::string_view phase, const std::string& calls,
                       double seconds, double flops, std::size_t bytes) {
    most = std::max(most, bytes);
    table.row({std::string(name), std::string(phase), calls,
               fmt::format("{:.3f}", 1e3 * seconds / steps),
               fmt::format("{:.1f} %", 100 * seconds / all),
               flops > 0 ? fmt::format("{:.1f}", 1e-9 * flops / seconds) : "",
               bytes > 0 ? fmt::format("{:.2f}", 1e-6 * static_cast<double>(bytes)) : ""});
  };
  double seen = 0;
  for (const Profile::Line& line : profile.lines()) {
    row(line.name, line.phase == Profile::Phase::other ? "" : name_of(line.phase),
        short_number(static_cast<double>(line.calls) / steps), line.seconds, line.flops,
        line.bytes);
    seen += line.seconds;
  }
  row("between them", "", "", all - seen, 0, 0);
  return fmt::format("\nA step takes {:.3f} ms, mean of {} after the first:\n", 1e3 * all / steps,
                     profile.n_warm_steps()) +
         table.text(width) +
         fmt::format(
             "MB is what values and gradients of the step have taken by then, {:.2f} at most; the "
             "process has held {:.1f} MB at once.\n",
             1e-6 * static_cast<double>(most), 1e-6 * static_cast<double>(peak_memory()));
}

}  // namespace attune
