#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fields.h"
#include "config/document.h"

namespace attune {

// A value that a point of a sweep gives a key.
struct Setting {
  std::string key;  // dotted
  Node value;
  Origin at;  // where the parameter stands
};
using Point = std::vector<Setting>;

// Values from `low` to `high` (W&B's words).
struct ValueRange {
  enum class Law { uniform, log_uniform, int_uniform, q_uniform };
  Law law = Law::uniform;
  double low = 0, high = 1;
  double step = 1;                // q_uniform: values are multiples
  std::optional<Index> n_levels;  // of a grid

  // The value at u in [0, 1): of six significant digits, so that its text is what was meant.
  FieldValue at(double u) const;
  // The n values of a grid, both ends among them; evenly, or by equal ratios where the law is
  // logarithmic. Of integers those that differ.
  std::vector<FieldValue> levels() const;
};

// What a sweep's file says of the values to be tried: `parameters` and `zip`.
//   parameters: {KEY: {values: [a, b]} | {value: a} | {min: a, max: b, distribution: …, levels: n},
//                … with when: {OTHER: a or [a, b]}}
//   zip:        [{KEY: [a, b], KEY: [c, d]}, …]   columns of the same length, taken together
class SearchSpace {
 public:
  // Adds what is wrong to the diagnostics. `is_grid`: ranges must have levels.
  SearchSpace(const Node::Entry* parameters, const Node::Entry* zip, bool is_grid,
              Diagnostics& diagnostics);

  // Every key that is varied, in the order of the file.
  std::vector<std::string> keys() const;
  Origin origin(std::string_view key) const;
  // Numbers that place a point: one for a parameter, one for a zip.
  Index n_axes() const { return static_cast<Index>(axes_.size()); }
  std::string axis_name(Index axis) const;

  // Points of the grid, none above kMostPoints. The last axis varies fastest.
  static constexpr Index kMostPoints = 1'000'000;
  std::optional<Index> grid_size() const;
  Point grid_point(Index i) const;
  // The point at u in [0, 1)^n_axes.
  Point at(std::span<const double> u) const;

  // Takes out of a point what its `when` does not allow. base(key) is the text of a value that no
  // setting gives; a parameter that is out has it too.
  using BaseValue = std::function<std::optional<std::string>(const std::string& key)>;
  void keep_active(Point& point, const BaseValue& base) const;

 private:
  struct Condition {
    std::string key;
    std::vector<Node> values;
  };
  struct Axis {
    std::vector<std::string> keys;
    std::vector<Origin> origins;             // of the keys
    std::vector<std::vector<Node>> choices;  // [choice][key]; of a range the levels of its grid
    std::optional<ValueRange> range;         // then there is one key
    std::vector<Condition> when;
  };
  void read_parameter(const Node::Entry& entry, bool is_grid, Diagnostics& diagnostics);
  void read_range(const Node::Entry& entry, bool is_grid, Axis& axis, Diagnostics& diagnostics);
  void read_zip(const Node& columns, Diagnostics& diagnostics);
  void add(Axis axis, Diagnostics& diagnostics);
  void settle(const Axis& axis, Index choice, Point& point) const;

  std::vector<Axis> axes_;
};

// The number that a text, or an unquoted scalar, is.
std::optional<double> number_of(const std::string& text);
std::optional<double> number_of(const Node& node);

// Whether a condition's value is the one that stands in a config: "1.0" is 1, and words are
// themselves.
bool same_value(const std::string& a, const std::string& b);

// "lr=0.001,normaliser=softmax": the last part of each key of the point, or the whole key where two
// of `keys` share it, with the values as text(key) has them.
std::string point_name(const Point& point, std::span<const std::string> keys,
                       const std::function<std::string(const std::string& key)>& text);

}  // namespace attune
