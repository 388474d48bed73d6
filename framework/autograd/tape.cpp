#include "autograd/tape.h"

#include <algorithm>
#include <cstring>

namespace attune {

template <class Real>
Tape<Real>::Tape(Arena& arena, bool gradients) : arena_(arena), gradients_(gradients) {
  nodes_.reserve(512);
  records_.reserve(512);
  free_.reserve(2048);
}

template <class Real>
Var Tape<Real>::add(const Node& node) {
  nodes_.push_back(node);
  return Var{static_cast<int>(nodes_.size()) - 1};
}

template <class Real>
Var Tape<Real>::constant(View<const Real> value) {
  Node node;
  // The tape never writes through a value that it did not allocate.
  node.value = View<Real>(const_cast<Real*>(value.data()), value.shape());
  return add(node);
}

template <class Real>
Var Tape<Real>::parameter(View<const Real> value, View<Real> grad) {
  ATTUNE_CHECK(value.shape() == grad.shape(), ShapeError,
               "[parameter] value {} and gradient {} differ in shape", value.shape().text(),
               grad.shape().text());
  const Var v = constant(value);
  Node& node = nodes_[static_cast<std::size_t>(v.id)];
  node.grad = grad;
  node.wants_grad = gradients_;
  node.external = true;
  return v;
}

template <class Real>
Var Tape<Real>::apply_bytes(const Op& op, std::span<const Var> inputs,
                            std::span<const View<const std::int32_t>> indices, const void* options,
                            std::size_t option_bytes) {
  ATTUNE_CHECK(inputs.size() <= op.inputs.size() && indices.size() <= op.indices.size(), ShapeError,
               "[{}] got {} inputs and {} index arrays, takes at most {} and {}", op.name,
               inputs.size(), indices.size(), op.inputs.size(), op.indices.size());
  ATTUNE_CHECK(!differentiated_, ShapeError,
               "[{}] applied after backward on {}: reset the tape first", op.name,
               describe(differentiated_));
  Record record{};
  record.op = &op;
  record.in.fill(-1);
  OpCall<Real> call;
  bool wants_grad = false;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const Var v = i < inputs.size() ? inputs[i] : Var{};
    ATTUNE_CHECK(v || op.inputs[i].optional, ShapeError, "[{}] input '{}' {} is missing", op.name,
                 op.inputs[i].name, op.inputs[i].shape);
    if (!v) continue;
    Node& node = nodes_[static_cast<std::size_t>(v.id)];
    node.consumed = true;
    wants_grad = wants_grad || node.wants_grad;
    record.in[i] = v.id;
    call.in[i] = node.value;
  }
  for (std::size_t i = 0; i < op.indices.size(); ++i) {
    if (i < indices.size()) record.index[i] = call.index[i] = indices[i];
    ATTUNE_CHECK(call.index[i] || op.indices[i].optional, ShapeError,
                 "[{}] index array '{}' {} is missing", op.name, op.indices[i].name,
                 op.indices[i].shape);
  }
  call.options = options;
  call.training = wants_grad;

  OpShapes shapes;
  const OpFunctions<Real>& f = op.functions<Real>();
  f.shapes(call, shapes);

  record.first_out = static_cast<int>(nodes_.size());
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    Node node;
    node.value = call.out[i] = arena_.view<Real>(shapes.out[i]);
    node.record = static_cast<int>(records_.size());
    node.wants_grad = wants_grad;
    add(node);
  }
  if (wants_grad) {
    for (std::size_t s = 0; s < static_cast<std::size_t>(shapes.n_saved); ++s)
      record.saved[s] = call.saved[s] = arena_.view<Real>(shapes.saved[s]);
  }
  run(op, call, false);
  if (wants_grad) {
    void* copy = arena_.allocate_bytes(option_bytes);
    std::memcpy(copy, options, option_bytes);
    record.options = copy;
    records_.push_back(record);
  }
  return Var{record.first_out};
}

template <class Real>
OpCall<Real> Tape<Real>::call_of(const Record& record) const {
  OpCall<Real> call;
  for (std::size_t i = 0; i < record.in.size(); ++i) {
    if (record.in[i] < 0) continue;
    const Node& node = nodes_[static_cast<std::size_t>(record.in[i])];
    call.in[i] = node.value;
    if (node.wants_grad) call.grad_in[i] = node.grad;
  }
  call.index = record.index;
  call.saved = record.saved;
  call.options = record.options;
  call.training = true;
  for (std::size_t i = 0; i < record.op->outputs.size(); ++i) {
    const Node& node = nodes_[static_cast<std::size_t>(record.first_out) + i];
    call.out[i] = node.value;
    call.grad_out[i] = node.grad;
  }
  return call;
}

template <class Real>
void Tape<Real>::refuse_second_call(Var now) const {
  ATTUNE_CHECK(!differentiated_, ShapeError,
               "[backward] called on {} after {}: add the losses, or reset the tape first",
               describe(now), describe(differentiated_));
}

template <class Real>
void Tape<Real>::backward(Var loss) {
  refuse_second_call(loss);
  ATTUNE_CHECK(shape(loss).size() == 1, ShapeError,
               "[backward] {} has shape {}; a loss is one number", describe(loss),
               shape(loss).text());
  ATTUNE_CHECK(node(loss).wants_grad, ShapeError, "[backward] {} depends on no parameter",
               describe(loss));
  for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
    const Node& n = node(Var{i});
    const bool is_loss = n.wants_grad && !n.external && !n.consumed && n.value.rank() == 0;
    ATTUNE_CHECK(!is_loss || i == loss.id, ShapeError,
                 "[backward] called on {}, but {} is a loss too that nothing uses: add the two",
                 describe(loss), describe(Var{i}));
  }
  const Real one[] = {Real(1)};
  const Seed seed{loss, View<const Real>(one, shape(loss))};
  backward(std::span<const Seed>(&seed, 1));
}

template <class Real>
void Tape<Real>::backward(std::span<const Seed> seeds) {
  ATTUNE_CHECK(!seeds.empty(), ShapeError, "[backward] no gradient was given");
  refuse_second_call(seeds[0].var);
  for (const Seed& seed : seeds) {
    Node& n = nodes_[static_cast<std::size_t>(seed.var.id)];
    ATTUNE_CHECK(n.value.shape() == seed.grad.shape(), ShapeError,
                 "[backward] {} has shape {}, its gradient {}", describe(seed.var),
                 n.value.shape().text(), seed.grad.shape().text());
    if (!n.wants_grad) continue;
    begin_gradient(n);
    for (Index i = 0; i < seed.grad.size(); ++i) n.grad[i] += seed.grad[i];
  }
  differentiated_ = seeds[0].var;
  for (auto record = records_.rbegin(); record != records_.rend(); ++record) {
    const std::span<Node> out(&nodes_[static_cast<std::size_t>(record->first_out)],
                              record->op->outputs.size());
    if (std::none_of(out.begin(), out.end(), [](const Node& n) { return bool(n.grad); })) continue;
    for (Node& n : out) begin_gradient(n);
    const OpFunctions<Real>& f = record->op->template functions<Real>();
    std::array<bool, OpCall<Real>::kMaxInputs> fresh = {};
    bool handed_on = false;
    for (std::size_t i = 0; i < record->in.size(); ++i) {
      const int id = record->in[i];
      if (id < 0) continue;
      Node& n = nodes_[static_cast<std::size_t>(id)];
      // An input that stands twice gets two gradients.
      const bool untouched =
          n.wants_grad && !n.grad && std::count(record->in.begin(), record->in.end(), id) == 1;
      handed_on = handed_on ||
                  (untouched && recycles_ && static_cast<int>(i) == f.hands_on && !out[0].kept);
      if (handed_on && static_cast<int>(i) == f.hands_on) {
        n.grad = out[0].grad;
        continue;
      }
      fresh[i] = f.begins_gradients && untouched;
      if (fresh[i]) n.grad = gradient_like(n.value);
      begin_gradient(n);
    }
    OpCall<Real> call = call_of(*record);
    call.fresh = fresh;
    if (handed_on) call.grad_in[static_cast<std::size_t>(f.hands_on)] = {};
    run(*record->op, call, true);
    if (handed_on) out[0].grad = {};
    if (recycles_) free(*record);
  }
}

template <class Real>
View<Real> Tape<Real>::gradient_like(View<Real> value) {
  // Among the latest alone: what an op leaves is what the next one asks for, and a model of
  // thousands of layers would else be searched from end to end for each of its gradients.
  constexpr std::ptrdiff_t kLatest = 64;
  const auto last = free_.rbegin() + std::min(kLatest, std::ssize(free_));
  const auto found = std::find_if(free_.rbegin(), last, [&](const View<Real>& memory) {
    return memory.size() == value.size();
  });
  if (found == last) return arena_.view<Real>(value.shape());
  Real* const data = found->data();
  free_.erase(std::next(found).base());
  return {data, value.shape()};
}

template <class Real>
void Tape<Real>::free(View<Real> memory) {
  if (memory.size() > 0) free_.push_back(memory);
}

// Whoever reads an op's outputs has been differentiated before it.
template <class Real>
void Tape<Real>::free(const Record& record) {
  for (const View<Real>& saved : record.saved) free(saved);
  for (std::size_t i = 0; i < record.op->outputs.size(); ++i) {
    const Node& n = nodes_[static_cast<std::size_t>(record.first_out) + i];
    if (n.kept) continue;
    free(n.value);
    free(n.grad);
  }
}

template <class Real>
void Tape<Real>::run(const Op& op, OpCall<Real>& call, bool backward) {
  const OpFunctions<Real>& f = op.functions<Real>();
  const double begin = profile_ ? profile_->now() : 0;
  backward ? f.backward(call) : f.forward(call);
  if (profile_)
    profile_->add(op.name, backward ? Profile::Phase::backward : Profile::Phase::forward, begin,
                  f.flops ? f.flops(call, backward) : 0, arena_.in_use());
}

// Just before the first op adds to it, while the zeros are still in cache.
template <class Real>
void Tape<Real>::begin_gradient(Node& n) {
  if (!n.wants_grad || n.grad) return;
  n.grad = gradient_like(n.value);
  std::fill(n.grad.begin(), n.grad.end(), Real(0));
}

template <class Real>
void Tape<Real>::reset() {
  nodes_.clear();
  records_.clear();
  free_.clear();
  differentiated_ = Var{};
  arena_.reset();
}

template <class Real>
std::string Tape<Real>::describe(Var v) const {
  if (!v) return "no node";
  const Node& n = node(v);
  if (n.record >= 0 && static_cast<std::size_t>(n.record) < records_.size())
    return fmt::format("node {} ({})", v.id, records_[static_cast<std::size_t>(n.record)].op->name);
  return fmt::format("node {} ({})", v.id, n.external ? "parameter" : "constant");
}

template class Tape<float>;
template class Tape<double>;

}  // namespace attune
