#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/cross_entropy.h"

namespace attune {
namespace {

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape logits = rank_of(c, cross_entropy_op, 0, 2);
  const Index n = index_size(c, cross_entropy_op, 0);
  ATTUNE_CHECK(n == logits[0], ShapeError, "[cross_entropy] logits {} have {} rows, targets {}",
               logits.text(), logits[0], n);
  s.out[0] = Shape();
  s.save({n});  // log-sum-exp
}

template <class Real>
kernels::CrossEntropyOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<CrossEntropyOptions>();
  return {o.label_smoothing, static_cast<std::int32_t>(o.ignore_index)};
}

template <class Real>
void forward(OpCall<Real>& c) {
  Scratch scratch;
  const View<Real> lse = c.training ? c.saved[0] : scratch.view<Real>({c.in[0].dim(0)});
  c.out[0][0] = static_cast<Real>(
      kernels::cross_entropy<Real>(kernel_options(c), c.in[0], c.index[0], {}, lse));
}

template <class Real>
void backward(OpCall<Real>& c) {
  kernels::cross_entropy_backward<Real>(kernel_options(c), c.grad_out[0][0], c.in[0], c.index[0],
                                        {}, c.saved[0], c.grad_in[0]);
}

}  // namespace

void CrossEntropyOptions::fields(FieldList& f) {
  f.real("label_smoothing", label_smoothing, {0.0, 1.0}, Role::result,
         "probability spread evenly over the classes");
  f.integer("ignore_index", ignore_index, {-2147483648.0, 2147483647.0}, Role::result,
            "rows with this target do not count");
}

const Op cross_entropy_op{
    .name = "cross_entropy",
    .maths = "loss = mean over rows of −Σ_j q_j log softmax(logits)_j, q = (1−ε)·onehot + ε/c",
    .inputs = {{"logits", "[n, c]"}},
    .indices = {{"targets", "[n]"}},
    .outputs = {{"loss", "[]"}},
    .options = make_options<CrossEntropyOptions>,
    .f32 = {shapes<float>, forward<float>, backward<float>},
    .f64 = {shapes<double>, forward<double>, backward<double>},
};

}  // namespace attune
