#pragma once

#include <string>
#include <vector>

#include "autograd/tape.h"
#include "config/diagnostics.h"
#include "h5/h5.h"

namespace attune {

// The arrays that an op is applied to, in a file: datasets named as the op's operands, all reals of
// one type, and grad_OUTPUT for those outputs whose gradient is known.
class OpInputs {
 public:
  // Adds to the diagnostics what the op cannot take: unknown and missing datasets, types, ranks.
  OpInputs(const Op& op, const std::string& path, Diagnostics& diagnostics);

  bool in_double() const { return real_ == H5Type::float64; }
  bool has(std::string_view name) const { return file_.root().has_dataset(name); }
  // Whether any output's gradient is there, so that there is something to differentiate.
  bool wants_gradients() const { return wants_gradients_; }

  // A real array, in the arena; absent where the file has none.
  template <class Real>
  View<Real> real(const std::string& name, Arena& arena) const {
    if (!has(name)) return {};
    return in_arena(file_.root().read<Real>(name), shape(name), arena);
  }
  // Every index array, in the order of the op's record, in the arena: the file's, else what stands
  // for it (autograd/absent.h), else absent.
  std::vector<View<const std::int32_t>> indices(Arena& arena) const;

 private:
  template <class T>
  static View<T> in_arena(const std::vector<T>& values, const Shape& shape, Arena& arena) {
    const View<T> view = arena.view<T>(shape);
    std::copy(values.begin(), values.end(), view.begin());
    return view;
  }
  Shape shape(const std::string& name) const;
  void check_entry(const H5Entry& entry);
  void check_missing(const std::vector<Operand>& operands, const char* what);
  void check_one_type(const std::vector<std::string>& reals);
  void wrong(std::string message);

  const Op& op_;
  H5File file_;
  std::shared_ptr<const Source> source_;
  Diagnostics& diagnostics_;
  H5Type real_ = H5Type::float32;
  bool wants_gradients_ = false;
};

}  // namespace attune
