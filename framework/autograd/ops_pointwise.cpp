#include "autograd/absent.h"
#include "autograd/drawing_options.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/dropout.h"
#include "kernels/pointwise.h"

namespace attune {
namespace {

template <class Real>
void as_first(const OpCall<Real>& c, OpShapes& s) {
  s.out[0] = c.in[0].shape();
}

// Activations leave their derivative behind: backward is one multiply and no transcendental.
template <class Real>
void with_slope(const OpCall<Real>& c, OpShapes& s) {
  as_first(c, s);
  s.save(c.in[0].shape());
}

template <class Real>
void chain_slope(OpCall<Real>& c) {
  kernels::chain<Real>(c.saved[0], c.grad_out[0], c.grad_in[0], c.fresh[0]);
}

template <class Real>
void gelu_forward(OpCall<Real>& c) {
  kernels::gelu<Real>(c.template as<GeluOptions>().approximate, c.in[0], c.out[0], c.saved[0]);
}

template <class Real>
void silu_forward(OpCall<Real>& c) {
  kernels::silu<Real>(c.in[0], c.out[0], c.saved[0]);
}

template <class Real>
void elu_forward(OpCall<Real>& c) {
  kernels::elu<Real>(c.in[0], c.out[0], c.saved[0]);
}

template <class Real>
void elu_plus_one_forward(OpCall<Real>& c) {
  kernels::elu_plus_one<Real>(c.in[0], c.out[0], c.saved[0]);
}

template <class Real>
void relu_forward(OpCall<Real>& c) {
  kernels::relu<Real>(c.in[0], c.out[0]);
}

template <class Real>
void relu_backward(OpCall<Real>& c) {
  kernels::relu_backward<Real>(c.grad_out[0], c.out[0], c.grad_in[0]);
}

template <class Real>
void tanh_forward(OpCall<Real>& c) {
  kernels::tanh<Real>(c.in[0], c.out[0]);
}

template <class Real>
void tanh_backward(OpCall<Real>& c) {
  kernels::tanh_backward<Real>(c.grad_out[0], c.out[0], c.grad_in[0]);
}

template <class Real>
void add_shapes(const OpCall<Real>& c, OpShapes& s) {
  same_shape(c, add_op, 1, c.in[0].shape());
  s.out[0] = c.in[0].shape();
}

template <class Real>
void add_forward(OpCall<Real>& c) {
  kernels::add<Real>(c.in[0], c.in[1], c.out[0]);
}

template <class Real>
void add_backward(OpCall<Real>& c) {
  for (std::size_t i = 0; i < 2; ++i)
    if (c.grad_in[i]) kernels::accumulate<Real>(c.grad_out[0], c.grad_in[i], c.fresh[i]);
}

// Rows' coordinates key the mask; without dropout nobody reads them.
template <class Real>
void check_coordinates(const OpCall<Real>& c, const Op& op, Index n) {
  if (c.template as<DropoutOptions>().p == 0) return;
  for (std::size_t i = 0; i < 2; ++i)
    ATTUNE_CHECK(c.index[i] && c.index[i].size() == n, ShapeError,
                 "[{}] dropout keys its mask by {}, one number for each of the {} rows", op.name,
                 op.indices[i].name, n);
}

template <class Real>
kernels::DropoutOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<DropoutOptions>();
  return {o.p, o.key, static_cast<std::uint32_t>(o.step)};
}

template <class Real>
void dropout_shapes(const OpCall<Real>& c, OpShapes& s) {
  check_coordinates(c, dropout_op, rank_of(c, dropout_op, 0, 2)[0]);
  as_first(c, s);
}

template <class Real>
void dropout_forward(OpCall<Real>& c) {
  kernels::dropout<Real>(kernel_options(c), c.index[0], c.index[1], c.in[0], c.out[0]);
}

template <class Real>
void dropout_backward(OpCall<Real>& c) {
  kernels::dropout_backward<Real>(kernel_options(c), c.index[0], c.index[1], c.grad_out[0],
                                  c.grad_in[0], c.fresh[0]);
}

template <class Real>
void residual_shapes(const OpCall<Real>& c, OpShapes& s) {
  check_coordinates(c, dropout_residual_op, rank_of(c, dropout_residual_op, 0, 2)[0]);
  same_shape(c, dropout_residual_op, 1, c.in[0].shape());
  as_first(c, s);
}

template <class Real>
void residual_forward(OpCall<Real>& c) {
  kernels::dropout_residual<Real>(kernel_options(c), c.index[0], c.index[1], c.in[0], c.in[1],
                                  c.out[0]);
}

template <class Real>
void residual_backward(OpCall<Real>& c) {
  kernels::dropout_residual_backward<Real>(kernel_options(c), c.index[0], c.index[1], c.grad_out[0],
                                           c.grad_in[0], c.grad_in[1], c.fresh[0], c.fresh[1]);
}

}  // namespace

void GeluOptions::fields(FieldList& f) {
  f.choice("approximate", approximate, {{"none", GeluForm::erf}, {"tanh", GeluForm::tanh}},
           Role::result, "none: by erf; tanh: the approximation");
}

void DropoutOptions::fields(FieldList& f, std::string_view p_name, std::string_view p_doc) {
  f.real(p_name, p, {0.0, 0.99}, Role::result, p_doc);
  f.integer("step", step, {0, 4294967295.0}, Role::result, "training step that keys the mask");
}

const Op add_op{
    .name = "add",
    .maths = "y = a + b",
    .inputs = {{"a", "[n, d]"}, {"b", "[n, d]"}},
    .indices = {},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = add_shapes<float>,
            .forward = add_forward<float>,
            .backward = add_backward<float>,
            .begins_gradients = true,
            .hands_on = 0},
    .f64 = {.shapes = add_shapes<double>,
            .forward = add_forward<double>,
            .backward = add_backward<double>,
            .begins_gradients = true,
            .hands_on = 0},
};

const Op relu_op{
    .name = "relu",
    .maths = "y = max(x, 0)",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<NoOptions>,
    .f32 = {as_first<float>, relu_forward<float>, relu_backward<float>},
    .f64 = {as_first<double>, relu_forward<double>, relu_backward<double>},
};

const Op silu_op{
    .name = "silu",
    .maths = "y = x / (1 + exp(−x))",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = with_slope<float>,
            .forward = silu_forward<float>,
            .backward = chain_slope<float>,
            .begins_gradients = true},
    .f64 = {.shapes = with_slope<double>,
            .forward = silu_forward<double>,
            .backward = chain_slope<double>,
            .begins_gradients = true},
};

const Op elu_op{
    .name = "elu",
    .maths = "y = x above 0, else exp(x) − 1",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = with_slope<float>,
            .forward = elu_forward<float>,
            .backward = chain_slope<float>,
            .begins_gradients = true},
    .f64 = {.shapes = with_slope<double>,
            .forward = elu_forward<double>,
            .backward = chain_slope<double>,
            .begins_gradients = true},
};

const Op tanh_op{
    .name = "tanh",
    .maths = "y = tanh(x)",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<NoOptions>,
    .f32 = {as_first<float>, tanh_forward<float>, tanh_backward<float>},
    .f64 = {as_first<double>, tanh_forward<double>, tanh_backward<double>},
};

const Op elu_plus_one_op{
    .name = "elu_plus_one",
    .maths = "y = x + 1 above 0, else exp(x)",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = with_slope<float>,
            .forward = elu_plus_one_forward<float>,
            .backward = chain_slope<float>,
            .begins_gradients = true},
    .f64 = {.shapes = with_slope<double>,
            .forward = elu_plus_one_forward<double>,
            .backward = chain_slope<double>,
            .begins_gradients = true},
};

const Op gelu_op{
    .name = "gelu",
    .maths = "y = x Φ(x), Φ the normal distribution's (erf) or its tanh approximation",
    .inputs = {{"x", "any"}},
    .indices = {},
    .outputs = {{"y", "as x"}},
    .options = make_options<GeluOptions>,
    .f32 = {.shapes = with_slope<float>,
            .forward = gelu_forward<float>,
            .backward = chain_slope<float>,
            .begins_gradients = true},
    .f64 = {.shapes = with_slope<double>,
            .forward = gelu_forward<double>,
            .backward = chain_slope<double>,
            .begins_gradients = true},
};

const Op dropout_op{
    .name = "dropout",
    .maths = "y = M ∘ x / (1 − p̂), M drawn by (seed, name, step, example, token, feature)",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"example", "[n]", true, &absent::one_example},
                {"token", "[n]", true, &absent::place_in_example}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_drawing_options<DropoutOptions>,
    .f32 = {.shapes = dropout_shapes<float>,
            .forward = dropout_forward<float>,
            .backward = dropout_backward<float>,
            .begins_gradients = true},
    .f64 = {.shapes = dropout_shapes<double>,
            .forward = dropout_forward<double>,
            .backward = dropout_backward<double>,
            .begins_gradients = true},
};

const Op dropout_residual_op{
    .name = "dropout_residual",
    .maths = "y = x + M ∘ branch / (1 − p̂)",
    .inputs = {{"x", "[n, d]"}, {"branch", "[n, d]"}},
    .indices = {{"example", "[n]", true, &absent::one_example},
                {"token", "[n]", true, &absent::place_in_example}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_drawing_options<DropoutOptions>,
    .f32 = {.shapes = residual_shapes<float>,
            .forward = residual_forward<float>,
            .backward = residual_backward<float>,
            .begins_gradients = true,
            .hands_on = 0},
    .f64 = {.shapes = residual_shapes<double>,
            .forward = residual_forward<double>,
            .backward = residual_backward<double>,
            .begins_gradients = true,
            .hands_on = 0},
};

}  // namespace attune
