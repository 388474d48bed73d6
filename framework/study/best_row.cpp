#include "study/best_row.h"

#include "base/text.h"

namespace attune {
namespace {

std::string text_of(const Row& row, const char* key) {
  const BoundLeaf* bound = row.binding.find(key);
  return bound ? to_text(bound->leaf.value) : std::string();
}

}  // namespace

SelectRule select_rule(const Row& row) {
  return {text_of(row, "select.by"), text_of(row, "select.goal") != "maximize"};
}

const Row* best_row(std::span<const Row* const> rows,
                    const std::function<const RowRuns&(const Row&)>& runs_of, std::string& why) {
  const Row* best = nullptr;
  double best_mean = 0;
  bool best_sound = false;
  for (const Row* row : rows) {
    const SelectRule rule = select_rule(*row);
    const auto scalar = parse_scalar(rule.by, why);
    if (!scalar) {
      why = fmt::format("the row {} has no select.by to choose it by", row->name);
      return nullptr;
    }
    double sum = 0;
    Index n = 0;
    bool sound = true;
    for (const RowRuns::Value& value : runs_of(*row).values(*scalar)) {
      if (value.state == RowRuns::Value::State::missing) {
        why = fmt::format("trials of {} are missing, among which the best is chosen", row->name);
        return nullptr;
      }
      if (value.state != RowRuns::Value::State::measured) {
        sound = false;
        continue;
      }
      sum += value.value;
      ++n;
    }
    if (n == 0) continue;
    const double mean = sum / static_cast<double>(n);
    const bool better = rule.least ? mean < best_mean : mean > best_mean;
    if (!best || (sound && !best_sound) || (sound == best_sound && better)) {
      best = row;
      best_mean = mean;
      best_sound = sound;
    }
  }
  if (!best) why = fmt::format("no row has a value to choose by");
  return best;
}

}  // namespace attune
