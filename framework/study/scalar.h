#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/run_file.h"
#include "study/row.h"

namespace attune {

// A number that trials leave, as claims name it:
//   test/accuracy           /final: at the chosen step
//   val/loss@last           the series: at its first, last or best step, or at a step number
//   probes/NAME[layer=last,step=0]/QUANTITY
//                           a probe's quantity where its dimensions have these coordinates; a
//                           number, a word, `first` or `last`
//   count/scores            exact counts, in /final
//   time/total memory/total measured; in the metadata beside the run file
struct Scalar {
  enum class Source { final, series, probe, measured };
  enum class At { first, last, best, step };

  std::string text;  // as it was written
  Source source = Source::final;
  std::string split, name;  // "test", "accuracy"; a probe's name and quantity; of measured the name
  At at = At::last;         // of a series
  Index step = 0;
  std::vector<std::pair<std::string, std::string>> coordinates;  // of a probe: dimension, where

  // Whether it is what /final has under `path` at the chosen step.
  bool is_final(std::string_view split_, std::string_view name_) const {
    return source == Source::final && split == split_ && name == name_;
  }
  bool is_count() const { return source == Source::final && split == "count"; }
};

// None where the text has another form: then `why` is a phrase that follows "'TEXT' ".
std::optional<Scalar> parse_scalar(const std::string& text, std::string& why);

// Why trials of a row leave no such number, as far as is known before they are run; empty where
// they may.
std::string scalar_problem(const Scalar& scalar, const Row& row);

// The number in a finished run: one, or of a probe those of all coordinates that are left open;
// none where the run does not have it, such as a step that was not evaluated.
std::vector<double> scalar_values(const Scalar& scalar, const std::string& run_path,
                                  const RunHead& head);

// The range that a metric cannot leave, where it has one: shares lie between 0 and 1.
std::optional<std::pair<double, double>> bounds_of(const Scalar& scalar);

}  // namespace attune
