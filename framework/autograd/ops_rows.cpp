// Ops on packed rows: embedding, positions, class token, pooling.
#include <algorithm>

#include "autograd/absent.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/embedding.h"
#include "kernels/pointwise.h"
#include "kernels/pooling.h"
#include "kernels/position.h"

namespace attune {
namespace {

template <class Real>
void embedding_shapes(const OpCall<Real>& c, OpShapes& s) {
  s.out[0] = {index_size(c, embedding_op, 0), rank_of(c, embedding_op, 0, 2)[1]};
}
template <class Real>
void embedding_forward(OpCall<Real>& c) {
  kernels::embedding<Real>(c.in[0], c.index[0], c.out[0]);
}
template <class Real>
void embedding_backward(OpCall<Real>& c) {
  kernels::embedding_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0]);
}

// Position tables are as wide as x; gives x's shape.
template <class Real>
Shape table_shapes(const OpCall<Real>& c, const Op& op, OpShapes& s) {
  const Shape x = rank_of(c, op, 0, 2);
  check_offsets(c, op, 0, x[0]);
  for (std::size_t i = 1; i < op.inputs.size(); ++i) {
    const Shape table = rank_of(c, op, i, 2);
    ATTUNE_CHECK(table[1] == x[1] && table[0] > 0, ShapeError,
                 "[{}] {} {} must have rows, and as many columns as x {}", op.name,
                 op.inputs[i].name, table.text(), x.text());
  }
  s.out[0] = x;
  return x;
}

template <class Real>
void position_2d_shapes(const OpCall<Real>& c, OpShapes& s) {
  table_shapes(c, position_2d_op, s);
}
template <class Real>
Index leading(const OpCall<Real>& c) {
  return c.template as<PositionOptions>().cls ? 1 : 0;
}
template <class Real>
kernels::GridReading reading(const OpCall<Real>& c) {
  return c.template as<PositionOptions>().fractional ? kernels::GridReading::fraction
                                                     : kernels::GridReading::index;
}
template <class Real>
void position_2d_forward(OpCall<Real>& c) {
  kernels::add_grid_positions<Real>(c.in[0], c.index[0], c.index[1], leading(c), c.in[1], c.in[2],
                                    c.out[0], reading(c));
}
template <class Real>
void position_2d_backward(OpCall<Real>& c) {
  kernels::add_grid_positions_backward<Real>(c.grad_out[0], c.index[0], c.index[1], leading(c),
                                             c.grad_in[0], c.grad_in[1], c.grad_in[2], reading(c));
}

template <class Real>
void position_1d_shapes(const OpCall<Real>& c, OpShapes& s) {
  table_shapes(c, position_1d_op, s);
}
template <class Real>
void position_1d_forward(OpCall<Real>& c) {
  kernels::add_sequence_positions<Real>(c.in[0], c.index[0], c.in[1], c.out[0]);
}
template <class Real>
void position_1d_backward(OpCall<Real>& c) {
  kernels::add_sequence_positions_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0],
                                                 c.grad_in[1]);
}

template <class Real>
void sinusoidal_shapes(const OpCall<Real>& c, OpShapes& s) {
  table_shapes(c, sinusoidal_op, s);
}
template <class Real>
void sinusoidal_forward(OpCall<Real>& c) {
  kernels::add_sinusoids<Real>(c.in[0], c.index[0], c.template as<SinusoidalOptions>().period,
                               c.out[0]);
}
template <class Real>
void sinusoidal_backward(OpCall<Real>& c) {
  if (c.grad_in[0]) kernels::accumulate<Real>(c.grad_out[0], c.grad_in[0]);
}

template <class Real>
void insert_cls_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, insert_cls_op, 0, 2);
  same_shape(c, insert_cls_op, 1, {x[1]});
  s.out[0] = {x[0] + check_offsets(c, insert_cls_op, 0, x[0]), x[1]};
}
template <class Real>
void insert_cls_forward(OpCall<Real>& c) {
  Scratch scratch;
  kernels::insert_cls<Real>(c.in[0], c.index[0], c.in[1], c.out[0],
                            scratch.view<std::int32_t>(c.index[0].shape()));
}
template <class Real>
void insert_cls_backward(OpCall<Real>& c) {
  kernels::insert_cls_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0], c.grad_in[1]);
}

// Up to seven matrices of one width; those behind the first may be absent.
template <class Real>
void concat_rows_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Index d = rank_of(c, concat_rows_op, 0, 2)[1];
  Index n = 0;
  for (std::size_t i = 0; i < concat_rows_op.inputs.size(); ++i) {
    if (!c.in[i]) continue;
    const Index rows = rank_of(c, concat_rows_op, i, 2)[0];
    same_shape(c, concat_rows_op, i, {rows, d});
    n += rows;
  }
  s.out[0] = {n, d};
}
template <class Real>
void concat_rows_forward(OpCall<Real>& c) {
  Real* to = c.out[0].data();
  for (const View<const Real>& x : c.in)
    if (x) to = std::copy(x.begin(), x.end(), to);
}
template <class Real>
void concat_rows_backward(OpCall<Real>& c) {
  const Real* from = c.grad_out[0].data();
  for (std::size_t i = 0; i < c.in.size(); ++i) {
    if (!c.in[i]) continue;
    if (c.grad_in[i]) kernels::accumulate<Real>({from, c.in[i].shape()}, c.grad_in[i]);
    from += c.in[i].size();
  }
}

// One row for each example.
template <class Real>
void pool_shapes(const OpCall<Real>& c, const Op& op, OpShapes& s) {
  const Shape x = rank_of(c, op, 0, 2);
  s.out[0] = {check_offsets(c, op, 0, x[0]), x[1]};
}
template <class Real>
void mean_pool_shapes(const OpCall<Real>& c, OpShapes& s) {
  pool_shapes(c, mean_pool_op, s);
}
template <class Real>
void mean_pool_forward(OpCall<Real>& c) {
  kernels::mean_pool<Real>(c.in[0], c.index[0], c.out[0]);
}
template <class Real>
void mean_pool_backward(OpCall<Real>& c) {
  kernels::mean_pool_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0]);
}

template <class Real>
void sum_pool_shapes(const OpCall<Real>& c, OpShapes& s) {
  pool_shapes(c, sum_pool_op, s);
}
template <class Real>
void sum_pool_forward(OpCall<Real>& c) {
  kernels::sum_pool<Real>(c.in[0], c.index[0], c.out[0]);
}
template <class Real>
void sum_pool_backward(OpCall<Real>& c) {
  kernels::sum_pool_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0]);
}

// The offsets bound y's rows, so that their end says how many these are.
template <class Real>
void repeat_rows_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, repeat_rows_op, 0, 2);
  const Index size = index_size(c, repeat_rows_op, 0);
  ATTUNE_CHECK(size == x[0] + 1, ShapeError,
               "[repeat_rows] offsets bound {} examples, and x {} has {} rows: one an example",
               size - 1, x.text(), x[0]);
  const Index n = c.index[0][x[0]];
  check_offsets(c, repeat_rows_op, 0, n);
  s.out[0] = {n, x[1]};
}
template <class Real>
void repeat_rows_forward(OpCall<Real>& c) {
  kernels::repeat_rows<Real>(c.in[0], c.index[0], c.out[0]);
}
template <class Real>
void repeat_rows_backward(OpCall<Real>& c) {
  kernels::repeat_rows_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0]);
}

template <class Real>
void first_row_shapes(const OpCall<Real>& c, OpShapes& s) {
  pool_shapes(c, first_row_op, s);
}
template <class Real>
void first_row_forward(OpCall<Real>& c) {
  kernels::first_pool<Real>(c.in[0], c.index[0], c.out[0]);
}
template <class Real>
void first_row_backward(OpCall<Real>& c) {
  kernels::first_pool_backward<Real>(c.grad_out[0], c.index[0], c.grad_in[0]);
}

template <class Real>
void attention_pool_shapes(const OpCall<Real>& c, OpShapes& s) {
  pool_shapes(c, attention_pool_op, s);
  const Index n = c.in[0].dim(0);
  ATTUNE_CHECK(c.in[1].shape() == Shape({n}) || c.in[1].shape() == Shape({n, 1}), ShapeError,
               "[attention_pool] scores {} must be one number for each of the {} rows",
               c.in[1].shape().text(), n);
  s.save({n});  // weights
}
template <class Real>
void attention_pool_forward(OpCall<Real>& c) {
  Scratch scratch;
  const Shape n{c.in[0].dim(0)};
  kernels::attention_pool<Real>(c.in[0], c.in[1].reshaped(n), c.index[0],
                                c.training ? c.saved[0] : scratch.view<Real>(n), c.out[0]);
}
template <class Real>
void attention_pool_backward(OpCall<Real>& c) {
  const Shape n{c.in[0].dim(0)};
  kernels::attention_pool_backward<Real>(c.grad_out[0], c.in[0], c.saved[0], c.index[0],
                                         c.grad_in[0],
                                         c.grad_in[1] ? c.grad_in[1].reshaped(n) : View<Real>());
}

}  // namespace

void PositionOptions::fields(FieldList& f) {
  f.boolean("cls", cls, Role::result, "each example begins with one row without a position");
  f.boolean("fractional", fractional, Role::result,
            "tables are read at (i + 1/2)/r of their length in a grid of r, whatever its size");
}

void SinusoidalOptions::fields(FieldList& f) {
  f.integer("period", period, {0, 1e9}, Role::result, "after which places repeat; 0: never");
}

const Op embedding_op{
    .name = "embedding",
    .maths = "y_i = weight[ids_i]",
    .inputs = {{"weight", "[V, d]"}},
    .indices = {{"ids", "[n]"}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {embedding_shapes<float>, embedding_forward<float>, embedding_backward<float>},
    .f64 = {embedding_shapes<double>, embedding_forward<double>, embedding_backward<double>},
};

const Op position_2d_op{
    .name = "position_2d",
    .maths = "y = x + rows[r] + columns[c]; r·(R−1)/(n_rows−1) where the grid is taller than R",
    .inputs = {{"x", "[n, d]"}, {"rows", "[R, d]"}, {"columns", "[C, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}, {"grid", "[B, 2]"}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<PositionOptions>,
    .f32 = {.shapes = position_2d_shapes<float>,
            .forward = position_2d_forward<float>,
            .backward = position_2d_backward<float>,
            .hands_on = 0},
    .f64 = {.shapes = position_2d_shapes<double>,
            .forward = position_2d_forward<double>,
            .backward = position_2d_backward<double>,
            .hands_on = 0},
};

const Op position_1d_op{
    .name = "position_1d",
    .maths = "y = x + table[i], i the row's place in its example",
    .inputs = {{"x", "[n, d]"}, {"table", "[L, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = position_1d_shapes<float>,
            .forward = position_1d_forward<float>,
            .backward = position_1d_backward<float>,
            .hands_on = 0},
    .f64 = {.shapes = position_1d_shapes<double>,
            .forward = position_1d_forward<double>,
            .backward = position_1d_backward<double>,
            .hands_on = 0},
};

const Op sinusoidal_op{
    .name = "sinusoidal",
    .maths =
        "y = x + p_i, p_2t = sin(i / 10000^(2t/d)), p_2t+1 = cos, i the row's place, mod period",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<SinusoidalOptions>,
    .f32 = {.shapes = sinusoidal_shapes<float>,
            .forward = sinusoidal_forward<float>,
            .backward = sinusoidal_backward<float>,
            .hands_on = 0},
    .f64 = {.shapes = sinusoidal_shapes<double>,
            .forward = sinusoidal_forward<double>,
            .backward = sinusoidal_backward<double>,
            .hands_on = 0},
};

const Op insert_cls_op{
    .name = "insert_cls",
    .maths = "y = x with the row cls in front of each example",
    .inputs = {{"x", "[n, d]"}, {"cls", "[d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[n+B, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {insert_cls_shapes<float>, insert_cls_forward<float>, insert_cls_backward<float>},
    .f64 = {insert_cls_shapes<double>, insert_cls_forward<double>, insert_cls_backward<double>},
};

const Op concat_rows_op{
    .name = "concat_rows",
    .maths = "y = the rows of a, then those of b, …",
    .inputs = {{"a", "[n_a, d]"},
               {"b", "[n_b, d]", true},
               {"c", "[n_c, d]", true},
               {"d", "[n_d, d]", true},
               {"e", "[n_e, d]", true},
               {"f", "[n_f, d]", true},
               {"g", "[n_g, d]", true}},
    .indices = {},
    .outputs = {{"y", "[n_a + n_b + …, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {concat_rows_shapes<float>, concat_rows_forward<float>, concat_rows_backward<float>},
    .f64 = {concat_rows_shapes<double>, concat_rows_forward<double>, concat_rows_backward<double>},
};

const Op mean_pool_op{
    .name = "mean_pool",
    .maths = "y_e = mean of the example's rows, 0 of none",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[B, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {mean_pool_shapes<float>, mean_pool_forward<float>, mean_pool_backward<float>},
    .f64 = {mean_pool_shapes<double>, mean_pool_forward<double>, mean_pool_backward<double>},
};

const Op sum_pool_op{
    .name = "sum_pool",
    .maths = "y_e = sum of the example's rows",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[B, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {sum_pool_shapes<float>, sum_pool_forward<float>, sum_pool_backward<float>},
    .f64 = {sum_pool_shapes<double>, sum_pool_forward<double>, sum_pool_backward<double>},
};

const Op repeat_rows_op{
    .name = "repeat_rows",
    .maths = "y_i = x_e for every row i of example e",
    .inputs = {{"x", "[B, d]"}},
    .indices = {{"offsets", "[B+1]"}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {repeat_rows_shapes<float>, repeat_rows_forward<float>, repeat_rows_backward<float>},
    .f64 = {repeat_rows_shapes<double>, repeat_rows_forward<double>, repeat_rows_backward<double>},
};

const Op first_row_op{
    .name = "first_row",
    .maths = "y_e = the example's first row",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[B, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {first_row_shapes<float>, first_row_forward<float>, first_row_backward<float>},
    .f64 = {first_row_shapes<double>, first_row_forward<double>, first_row_backward<double>},
};

const Op attention_pool_op{
    .name = "attention_pool",
    .maths = "y_e = Σ_i softmax(scores)_i x_i over the example's rows",
    .inputs = {{"x", "[n, d]"}, {"scores", "[n] or [n, 1]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[B, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {attention_pool_shapes<float>, attention_pool_forward<float>,
            attention_pool_backward<float>},
    .f64 = {attention_pool_shapes<double>, attention_pool_forward<double>,
            attention_pool_backward<double>},
};

// By sevens, so that a row is copied once for each power of seven that there are parts.
template <class Real>
Var concat_rows(Tape<Real>& t, std::span<const Var> parts) {
  ATTUNE_CHECK(!parts.empty(), ShapeError, "[concat_rows] got no parts, and needs one at least");
  if (parts.size() == 1) return parts[0];
  constexpr std::size_t kMost = 7;  // inputs of the op
  std::size_t share = 1;            // of one input
  while (share * kMost < parts.size()) share *= kMost;
  std::array<Var, kMost> joined;
  for (std::size_t i = 0; i * share < parts.size(); ++i)
    joined[i] = concat_rows(t, parts.subspan(i * share, std::min(share, parts.size() - i * share)));
  const NoOptions none;
  return t.apply_bytes(concat_rows_op, joined, {}, &none, sizeof none);
}
template Var concat_rows(Tape<float>&, std::span<const Var>);
template Var concat_rows(Tape<double>&, std::span<const Var>);

}  // namespace attune
