#include "autograd/profile.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/text.h"

namespace attune {

std::vector<Profile::Line> Profile::lines() const {
  std::map<std::pair<std::string_view, Phase>, Line> by_name;
  for (std::size_t i = first(); i < last(); ++i) {
    const Span& span = spans_[i];
    Line& line = by_name[{span.name, span.phase}];
    line.name = span.name;
    line.phase = span.phase;
    line.calls += 1;
    line.seconds += span.seconds;
    line.flops += span.flops;
    line.bytes = std::max(line.bytes, span.bytes);
  }
  std::vector<Line> lines;
  for (const auto& [unused, line] : by_name) lines.push_back(line);
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.seconds > b.seconds; });
  return lines;
}

double Profile::seconds() const {
  double total = 0;
  std::size_t begin = first();
  for (const std::size_t end : step_ends_) {
    if (end <= begin) continue;
    const Span& last = spans_[end - 1];
    total += last.begin + last.seconds - spans_[begin].begin;
    begin = end;
  }
  return total;
}

std::string Profile::trace(std::size_t most) const {
  std::string text = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  const std::size_t n = std::min(most, spans_.size());
  for (std::size_t i = 0; i < n; ++i) {
    const Span& s = spans_[i];
    const std::string name =
        Json(s.phase == Phase::other ? std::string(s.name)
                                     : fmt::format("{} {}", s.name, name_of(s.phase)))
            .dump();
    text += fmt::format(
        "{{\"name\": {}, \"cat\": \"{}\", \"ph\": \"X\", \"ts\": {:.3f}, \"dur\": {:.3f}, \"pid\": "
        "1, \"tid\": 1{}}}{}\n",
        name, name_of(s.phase), 1e6 * s.begin, 1e6 * s.seconds,
        s.flops > 0 || s.bytes > 0 ? fmt::format(", \"args\": {{\"GF/s\": {:.1f}, \"MB\": {:.2f}}}",
                                                 1e-9 * s.flops / std::max(s.seconds, 1e-9),
                                                 1e-6 * static_cast<double>(s.bytes))
                                   : "",
        i + 1 < n ? "," : "");
  }
  return text + "]}\n";
}

std::string_view name_of(Profile::Phase phase) {
  constexpr std::string_view names[] = {"forward", "backward", "other"};
  return names[static_cast<int>(phase)];
}

}  // namespace attune
