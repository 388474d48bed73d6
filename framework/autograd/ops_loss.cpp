#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/cross_entropy.h"
#include "kernels/losses.h"

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

template <class Real>
void mse_shapes(const OpCall<Real>& c, OpShapes& s) {
  same_shape(c, mse_op, 1, c.in[0].shape());
  s.out[0] = Shape();
}

template <class Real>
void mse_forward(OpCall<Real>& c) {
  c.out[0][0] = static_cast<Real>(kernels::mean_squared_error<Real>(c.in[0], c.in[1]));
}

template <class Real>
void mse_backward(OpCall<Real>& c) {
  kernels::mean_squared_error_backward<Real>(c.grad_out[0][0], c.in[0], c.in[1], c.grad_in[0],
                                             c.grad_in[1]);
}

// A head of one output gives logits [n, 1]; its targets may be [n].
template <class Real>
void binary_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape logits = c.in[0].shape(), targets = c.in[1].shape(), column{logits.size(), 1};
  const bool one_column = logits == column && targets == Shape{logits.size()};
  if (!one_column) same_shape(c, binary_cross_entropy_op, 1, logits);
  s.out[0] = Shape();
}

template <class Real>
void binary_forward(OpCall<Real>& c) {
  c.out[0][0] = static_cast<Real>(kernels::binary_cross_entropy<Real>(c.in[0], c.in[1]));
}

template <class Real>
void binary_backward(OpCall<Real>& c) {
  kernels::binary_cross_entropy_backward<Real>(c.grad_out[0][0], c.in[0], c.in[1], c.grad_in[0],
                                               c.grad_in[1]);
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

const Op mse_op{
    .name = "mse",
    .maths = "loss = mean (pred − target)²",
    .inputs = {{"pred", "[n, d]"}, {"target", "[n, d]"}},
    .indices = {},
    .outputs = {{"loss", "[]"}},
    .options = make_options<NoOptions>,
    .f32 = {mse_shapes<float>, mse_forward<float>, mse_backward<float>},
    .f64 = {mse_shapes<double>, mse_forward<double>, mse_backward<double>},
};

const Op binary_cross_entropy_op{
    .name = "binary_cross_entropy",
    .maths = "loss = mean of −t log σ(logit) − (1 − t) log(1 − σ(logit)), targets t in [0, 1]",
    .inputs = {{"logits", "any"}, {"targets", "as logits; [n] for [n, 1], too"}},
    .indices = {},
    .outputs = {{"loss", "[]"}},
    .options = make_options<NoOptions>,
    .f32 = {binary_shapes<float>, binary_forward<float>, binary_backward<float>},
    .f64 = {binary_shapes<double>, binary_forward<double>, binary_backward<double>},
};

}  // namespace attune
