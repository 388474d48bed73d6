#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "autograd/op.h"
#include "autograd/profile.h"

namespace attune {

// A node of a tape. A default Var is absent (optional inputs).
struct Var {
  int id = -1;
  explicit operator bool() const { return id >= 0; }
};

// Define-by-run record of one step, for reverse-mode differentiation. Records are appended in
// creation order, which is a topological order, so that backward is one loop over them. The tape
// belongs to whoever makes it; values and gradients live in the arena it was given, and reset()
// forgets both. A warm step allocates nothing.
template <class Real>
class Tape {
 public:
  // With `gradients` false nothing is recorded: evaluation.
  explicit Tape(Arena& arena, bool gradients = true);

  // A value without gradient; the memory stays the caller's and must outlive the step.
  Var constant(View<const Real> value);
  // A value whose gradient is added to `grad` (same shape), the caller's.
  Var parameter(View<const Real> value, View<Real> grad);

  // Checks shapes, computes, records; gives the first output. Further ones: output(var, 1).
  Var apply(const Op& op, std::initializer_list<Var> inputs,
            std::initializer_list<View<const std::int32_t>> indices = {}) {
    return apply(op, inputs, indices, NoOptions{});
  }
  template <class Options>
  Var apply(const Op& op, std::initializer_list<Var> inputs,
            std::initializer_list<View<const std::int32_t>> indices, const Options& options) {
    static_assert(std::is_trivially_copyable_v<Options>);
    return apply_bytes(op, {inputs.begin(), inputs.size()}, {indices.begin(), indices.size()},
                       &options, sizeof options);
  }
  Var apply_bytes(const Op& op, std::span<const Var> inputs,
                  std::span<const View<const std::int32_t>> indices, const void* options,
                  std::size_t option_bytes);
  static Var output(Var first, int i) { return Var{first.id + i}; }

  View<const Real> value(Var v) const { return node(v).value; }
  // Null before backward, and for nodes that want no gradient or that none reached.
  View<Real> grad(Var v) const { return node(v).grad; }
  const Shape& shape(Var v) const { return node(v).value.shape(); }

  // Differentiates a scalar loss. A second call, or another loss of this step that nothing
  // consumed, is a ShapeError that names the nodes.
  void backward(Var loss);
  // The same from given gradients of any nodes.
  struct Seed {
    Var var;
    View<const Real> grad;
  };
  void backward(std::span<const Seed> seeds);

  // From now on backward uses the memory of what it has no more use for, which is still in cache:
  // gradients, values and what ops saved, of nodes that ops made. Then they can't be read after it,
  // but for those that are kept.
  void recycle() { recycles_ = true; }
  void keep(Var v) { nodes_[static_cast<std::size_t>(v.id)].kept = true; }

  // Forgets the step: nodes, records and the arena's memory.
  void reset();

  std::size_t n_records() const { return records_.size(); }
  Arena& arena() { return arena_; }
  // Where each application of an op is added; null is nowhere. It must outlive the tape.
  void set_profile(Profile* profile) { profile_ = profile; }
  Profile* profile() const { return profile_; }
  // "node 12 (layer_norm)"
  std::string describe(Var v) const;

 private:
  struct Node {
    View<Real> value, grad;
    int record = -1;  // which record made it
    bool wants_grad = false;
    bool consumed = false;
    bool external = false;  // its gradient lives outside the arena
    bool kept = false;      // not recycled
  };
  struct Record {
    const Op* op;
    std::array<int, OpCall<Real>::kMaxInputs> in;
    std::array<View<const std::int32_t>, OpCall<Real>::kMaxIndices> index;
    std::array<View<Real>, OpCall<Real>::kMaxSaved> saved;
    int first_out;
    const void* options;
  };
  const Node& node(Var v) const { return nodes_[static_cast<std::size_t>(v.id)]; }
  Var add(const Node& node);
  OpCall<Real> call_of(const Record& record) const;
  void refuse_second_call(Var now) const;
  void begin_gradient(Node& node);
  // Memory that backward is done with, or from the arena.
  View<Real> gradient_like(View<Real> value);
  void free(View<Real> memory);
  void free(const Record& record);
  // One of an op's functions, with its place in the profile.
  void run(const Op& op, OpCall<Real>& call, bool backward);

  Arena& arena_;
  bool gradients_;
  std::vector<Node> nodes_;
  std::vector<Record> records_;
  Var differentiated_;
  bool recycles_ = false;
  std::vector<View<Real>> free_;  // the last one freed is last
  Profile* profile_ = nullptr;
};

extern template class Tape<float>;
extern template class Tape<double>;

}  // namespace attune
