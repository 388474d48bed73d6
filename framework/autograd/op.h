#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/fields.h"
#include "tensor/arena.h"

namespace attune {

// What an op's three functions see of one application. Values and gradients are contiguous; an
// absent optional input is a null view, and so is the gradient of an input that wants none.
// Gradients accumulate: backward adds, but for those that
// are fresh.
template <class Real>
struct OpCall {
  static constexpr int kMaxInputs = 7, kMaxIndices = 8, kMaxOutputs = 2, kMaxSaved = 4;

  std::array<View<const Real>, kMaxInputs> in;
  std::array<View<Real>, kMaxInputs> grad_in;
  // Of an op whose backward begins gradients: whether grad_in holds nothing yet, and is written.
  std::array<bool, kMaxInputs> fresh = {};
  std::array<View<const std::int32_t>, kMaxIndices> index;
  std::array<View<Real>, kMaxOutputs> out;
  std::array<View<const Real>, kMaxOutputs> grad_out;
  std::array<View<Real>, kMaxSaved> saved;  // what forward leaves for backward
  const void* options = nullptr;
  bool training = false;  // false: no backward will come, and `saved` is absent

  // Zeros for the fresh gradients of inputs from `first` on, for a backward that adds to those.
  void zero_fresh(std::size_t first) {
    for (std::size_t i = first; i < fresh.size(); ++i) {
      if (fresh[i]) std::fill(grad_in[i].begin(), grad_in[i].end(), Real(0));
      fresh[i] = false;
    }
  }
  template <class Options>
  const Options& as() const {
    return *static_cast<const Options*>(options);
  }
};

// Shapes an op asks for, filled in by its shape rule before anything is computed.
struct OpShapes {
  std::array<Shape, 2> out;
  std::array<Shape, 4> saved;
  int n_saved = 0;

  void save(const Shape& shape) { saved[static_cast<std::size_t>(n_saved++)] = shape; }
};

template <class Real>
struct OpFunctions {
  void (*shapes)(const OpCall<Real>&, OpShapes&);  // checks operands (ShapeError)
  void (*forward)(OpCall<Real>&);
  void (*backward)(OpCall<Real>&);
  // Floating-point operations of its products; null where they are not most of its work.
  double (*flops)(const OpCall<Real>&, bool backward) = nullptr;
  // Backward writes those inputs' gradients that are fresh, where others add to zeros: one pass
  // over memory less, and none for the zeros.
  bool begins_gradients = false;
  // The input to which the output's gradient goes as it is; it may be given that memory instead of
  // a copy, and then stands for absent. −1: there is none.
  int hands_on = -1;
};

// What an index array is for callers that leave it out and know the op only by name; a tape is
// always given it, or does not need it. `make` sees the shapes of the inputs, and the index arrays
// before this one, whole.
struct Absent {
  std::string_view means;  // "0 … n−1"
  std::vector<std::int32_t> (*make)(std::span<const Shape> inputs,
                                    std::span<const std::vector<std::int32_t>> indices);
};

struct Operand {
  std::string_view name, shape;
  bool optional = false;  // an output: there is none under some options, and then it is empty
  const Absent* absent = nullptr;
};

// An op's options as a struct with fields(), for callers that only know the op by name.
class OptionSet {
 public:
  virtual ~OptionSet() = default;
  virtual void fields(FieldList& f) = 0;
  virtual const void* data() = 0;  // the struct's bytes, as a tape takes them
  virtual std::size_t size() const = 0;
};

template <class T>
class OptionsOf : public OptionSet {
 public:
  static_assert(std::is_trivially_copyable_v<T>, "a record keeps its options as bytes");
  void fields(FieldList& f) override { value.fields(f); }
  const void* data() override { return &value; }
  std::size_t size() const override { return sizeof(T); }
  T value;
};

struct NoOptions {
  void fields(FieldList&) {}
};

template <class T>
std::unique_ptr<OptionSet> make_options() {
  return std::make_unique<OptionsOf<T>>();
}

// One differentiable operation: name, one line of mathematics, operands, shape rule, forward,
// backward, in float and in double. It stands in the one list of ops (op_list.cpp), which
// `list ops`, `attune op` and the tests read.
struct Op {
  std::string_view name, maths;
  std::vector<Operand> inputs, indices, outputs;
  std::unique_ptr<OptionSet> (*options)();
  OpFunctions<float> f32;
  OpFunctions<double> f64;

  template <class Real>
  const OpFunctions<Real>& functions() const {
    if constexpr (std::is_same_v<Real, float>) {
      return f32;
    } else {
      return f64;
    }
  }
};

// Every op, in the order of `attune list ops`.
std::span<const Op* const> all_ops();

}  // namespace attune
