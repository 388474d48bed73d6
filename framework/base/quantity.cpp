#include "base/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "base/text.h"

namespace attune {
namespace {

constexpr Index kMaxSeeds = 100000;

std::optional<Index> whole_number(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "7" or "0-9", appended to seeds.
std::string append_seeds(std::string_view part, std::vector<Index>& seeds) {
  const std::size_t dash = part.find('-');
  const auto first = whole_number(trim(part.substr(0, dash)));
  const auto last = dash == part.npos ? first : whole_number(trim(part.substr(dash + 1)));
  if (!first || !last)
    return fmt::format("has '{}', which is neither a seed (0, 7) nor a range (0-9)", part);
  if (*last < *first) return fmt::format("has the range '{}', which runs backwards", part);
  if (*last - *first >= kMaxSeeds) return fmt::format("has more than {} seeds", kMaxSeeds);
  for (Index seed = *first; seed <= *last; ++seed) seeds.push_back(seed);
  return {};
}

}  // namespace

std::string parse_seeds(const Literal& literal, std::vector<Index>& out) {
  const std::string text = join(literal.items);
  std::vector<std::string_view> parts;
  if (literal.is_list) {
    parts.assign(literal.items.begin(), literal.items.end());
    if (parts.empty()) return "is empty; give at least one seed";
  } else {
    if (text.starts_with("n=")) {
      const auto n = whole_number(trim(std::string_view(text).substr(2)));
      if (!n || *n < 1 || *n > kMaxSeeds)
        return fmt::format("needs a whole number from 1 to {} after n=", kMaxSeeds);
      out.resize(static_cast<std::size_t>(*n));
      for (Index seed = 0; seed < *n; ++seed) out[static_cast<std::size_t>(seed)] = seed;
      return {};
    }
    parts = split(text, ',');
    const auto bare = whole_number(trim(text));
    if (bare == 0) return "could mean no seed or the seed 0: write 0-0 for that one";
    if (bare)
      return fmt::format(
          "could mean {0} seeds or the seed {0}: write n={0} for seeds 0 to {1}, or {0}-{0}", *bare,
          *bare - 1);
  }

  std::vector<Index> seeds;
  for (const std::string_view part : parts)
    if (std::string wrong = append_seeds(part, seeds); !wrong.empty()) return wrong;
  if (static_cast<Index>(seeds.size()) > kMaxSeeds)
    return fmt::format("has more than {} seeds", kMaxSeeds);
  std::set<Index> seen;
  for (const Index seed : seeds)
    if (!seen.insert(seed).second) return fmt::format("has the seed {} twice", seed);
  out = std::move(seeds);
  return {};
}

std::string parse_duration(std::string_view text, double& out) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr Unit kUnits[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 1e-3}};
  double seconds = 0;
  std::string_view rest = trim(text);
  if (rest.empty()) return "is empty";
  while (!rest.empty()) {
    double number = 0;
    const auto end =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed)
            .ptr;
    const auto digits = static_cast<std::size_t>(end - rest.data());
    if (digits == 0 || number < 0) return fmt::format("is no duration; write {}", kDurationForm);
    rest = trim(rest.substr(digits));
    const std::string_view unit =
        rest.substr(0, std::min(rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), rest.size()));
    const auto* known = std::find_if(std::begin(kUnits), std::end(kUnits),
                                     [unit](const Unit& u) { return u.name == unit; });
    if (unit.empty()) return fmt::format("has no unit; write {0}s, {0}m or {0}h", trim(text));
    if (known == std::end(kUnits))
      return fmt::format("has the unit '{}'; units are d, h, m, s and ms", unit);
    seconds += number * known->seconds;
    rest = trim(rest.substr(unit.size()));
  }
  if (!(seconds > 0)) return "is no time at all; give more than 0";
  out = seconds;
  return {};
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<Index>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace attune
