#include "import/names.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/shape.h"
#include "base/text.h"

namespace attune {

std::vector<std::string> in_order(const std::set<std::string>& distinct) {
  std::vector<std::string> names(distinct.begin(), distinct.end());
  const auto number = [](const std::string& s) -> std::optional<Index> {
    Index value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    return error == std::errc() && end == s.data() + s.size() ? std::optional(value) : std::nullopt;
  };
  if (std::all_of(names.begin(), names.end(), [&](const auto& s) { return number(s).has_value(); }))
    std::stable_sort(names.begin(), names.end(),
                     [&](const auto& a, const auto& b) { return *number(a) < *number(b); });
  return names;
}

std::map<std::string, std::int32_t> group_numbers(const std::set<std::string>& names) {
  std::map<std::string, std::int32_t> numbers;
  std::set<std::uint64_t> taken;
  for (const std::string& name : names) {
    std::uint64_t h = hash64("group/" + name) & 0x7fffffffU;
    while (!taken.insert(h).second) h = (h + 1) & 0x7fffffffU;
    numbers[name] = static_cast<std::int32_t>(h);
  }
  return numbers;
}

void require_lines(const std::map<std::string, std::string>& where) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  std::vector<std::string> faults;
  for (const auto& [label, place] : where) {
    const bool is_line = invalid_utf8(label) == std::string::npos &&
                         std::none_of(label.begin(), label.end(), is_control);
    if (!is_line) faults.push_back(fmt::format("{}, the label of {}", Json(label).dump(), place));
  }
  ATTUNE_CHECK(faults.empty(), DataError,
               "{} labels are no line of text in UTF-8:{}\nNothing was written. Rename them: "
               "without line breaks, tabs and bytes of other encodings.",
               faults.size(), listed(faults));
}

std::string listed(const std::vector<std::string>& items) {
  constexpr std::size_t kListed = 100;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kListed); ++i) text += "\n  " + items[i];
  if (items.size() > kListed) text += fmt::format("\n  and {} more", items.size() - kListed);
  return text;
}

}  // namespace attune
