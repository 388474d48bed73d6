// Every op's backward against central differences in double, on at least five shapes: one element,
// odd sizes, empty rows, examples without rows. The scalarisation is random and the gradients must
// not vanish: a check of zeros against zeros would pass (tiny-dnn's did).
#include <gtest/gtest.h>

#include "kernels/attention/parts.h"
#include "tests/autograd/gradient_cases.h"

namespace attune::gradients {
namespace {

// Well inside (0, 1).
CheckedInput probabilities(CheckedInput in) {
  for (double& x : in.values) x = 0.1 + 0.8 / (1 + std::exp(-x));
  return in;
}

void matrix_cases(Cases& cases) {
  for (const Shape& s : kMatrices) {
    const Index n = s[0], d = s[1];
    const std::string what = s.text();
    const auto unary = [&](const std::string& op, auto f) {
      cases[op].push_back({what, {input("x", s, 3)}, [f](auto& t, auto v) { return f(t, v[0]); }});
    };
    unary("relu", [](auto& t, Var x) { return t.apply(relu_op, {x}); });
    if (d == 1) cases["relu"].back().flat = {"x"};  // the one element is negative
    unary("silu", [](auto& t, Var x) { return t.apply(silu_op, {x}); });
    unary("tanh", [](auto& t, Var x) { return tanh(t, x); });
    unary("gelu", [](auto& t, Var x) { return gelu(t, x); });
    unary("gelu", [](auto& t, Var x) { return gelu(t, x, {GeluForm::tanh}); });
    unary("softmax",
          [](auto& t, Var x) { return t.apply(softmax_op, {x}, {}, SoftmaxOptions{0.7}); });
    cases["add"].push_back(
        {what, {input("a", s), input("b", s)}, [](auto& t, auto v) { return add(t, v[0], v[1]); }});
    cases["linear"].push_back({what,
                               {input("x", s), input("weight", {n + 2, d}), input("bias", {n + 2})},
                               [](auto& t, auto v) { return linear(t, v[0], v[1], v[2]); }});
    cases["linear"].push_back({what + " without bias",
                               {input("x", s), input("weight", {4, d})},
                               [](auto& t, auto v) { return linear(t, v[0], v[1]); }});
    for (const GeluForm form : {GeluForm::erf, GeluForm::tanh})
      cases["feed_forward"].push_back(
          {what,
           {input("x", s), input("w1", {7, d}), input("b1", {7}), input("w2", {n + 1, 7}),
            input("b2", {n + 1})},
           [form](auto& t, auto v) {
             return feed_forward(t, v[0], {v[1], v[2], v[3], v[4]}, {form});
           }});
    cases["feed_forward"].push_back({what + " without biases",
                                     {input("x", s), input("w1", {5, d}), input("w2", {3, 5})},
                                     [](auto& t, auto v) {
                                       return feed_forward(t, v[0], {v[1], {}, v[2], {}});
                                     }});
    cases["add_bias"].push_back({what, {input("x", s), input("bias", {d})}, [](auto& t, auto v) {
                                   return add_bias(t, v[0], v[1]);
                                 }});
    unary("sparsemax",
          [](auto& t, Var x) { return t.apply(sparsemax_op, {x}, {}, SoftmaxOptions{2}); });
    unary("entmax15",
          [](auto& t, Var x) { return t.apply(entmax15_op, {x}, {}, SoftmaxOptions{0.7}); });
    if (d == 1) {  // of one element they are 1
      for (const char* op : {"softmax", "sparsemax", "entmax15"}) cases[op].back().flat = {"x"};
    }
    if (d > 1) {  // one element has nothing to normalise: gradients of the size of eps
      cases["layer_norm"].push_back(
          {what, {input("x", s), input("gain", {d}), input("bias", {d})}, [](auto& t, auto v) {
             return layer_norm(t, v[0], v[1], v[2]);
           }});
      cases["rms_norm"].push_back({what, {input("x", s), input("gain", {d})}, [](auto& t, auto v) {
                                     return rms_norm(t, v[0], v[1]);
                                   }});
    }
    cases["mse"].push_back({what, {input("pred", s), input("target", s)}, [](auto& t, auto v) {
                              return mse(t, v[0], v[1]);
                            }});
    cases["binary_cross_entropy"].push_back(
        {what, {input("logits", s, 3), probabilities(input("targets", s))}, [](auto& t, auto v) {
           return binary_cross_entropy(t, v[0], v[1]);
         }});
    cases["rope"].push_back({what, {input("x", {n, 12 * d})}, [n](auto& t, auto v) {
                               Ids positions;
                               for (Index i = 0; i < n; ++i)
                                 positions.push_back(static_cast<std::int32_t>(7 * i - 9));
                               return rope(t, v[0], kept(t, positions), {3, 100});
                             }});
    cases["dropout"].push_back({what, {input("x", s)}, [n](auto& t, auto v) {
                                  return dropout(t, v[0], coordinates(t, n), {0.3, 99, 5});
                                }});
    cases["dropout_residual"].push_back(
        {what, {input("x", s), input("branch", s)}, [n](auto& t, auto v) {
           return dropout_residual(t, v[0], v[1], coordinates(t, n), {0.3, 99, 5});
         }});
    cases["cross_entropy"].push_back({what, {input("logits", {n, d + 1})}, [n, d](auto& t, auto v) {
                                        Ids target;
                                        for (Index i = 0; i < n; ++i)
                                          target.push_back(static_cast<std::int32_t>(i % (d + 1)));
                                        if (n > 2) target[1] = -100;
                                        return cross_entropy(t, v[0], kept(t, target), {0.1, -100});
                                      }});
    cases["embedding"].push_back({what, {input("weight", s)}, [n](auto& t, auto v) {
                                    Ids ids;
                                    for (Index i = 0; i < 2 * n + 3; ++i)
                                      ids.push_back(static_cast<std::int32_t>(i * i % n));
                                    return t.apply(embedding_op, {v[0]}, {kept(t, ids)});
                                  }});
  }
  cases["layer_norm"].push_back(
      {"gain of zeros",
       {input("x", {4, 6}), CheckedInput{"gain", {6}, std::vector<double>(6, 0.0)},
        input("bias", {6})},
       [](auto& t, auto v) { return layer_norm(t, v[0], v[1], v[2]); },
       {"x"}});
  cases["rms_norm"].push_back({"wide, with a bias",
                               {input("x", {3, 130}), input("gain", {130}), input("bias", {130})},
                               [](auto& t, auto v) {
                                 return t.apply(rms_norm_op, {v[0], v[1], v[2]}, {}, NormOptions{});
                               }});
  cases["layer_norm"].push_back({"without bias",
                                 {input("x", {4, 6}), input("gain", {6})},
                                 [](auto& t, auto v) { return layer_norm(t, v[0], v[1], {}); }});
  cases["rope"].push_back({"rows and columns", {input("x", {4, 16})}, [](auto& t, auto v) {
                             static const Ids places{0, 5, 1, -2, 3, 3, 100, 7};
                             const View<const std::int32_t> p(places.data(), {4, 2});
                             return rope(t, v[0], p, {2, 10000});
                           }});
  cases["softmax"].push_back({"lengths 0, 1 and 5 of 5", {input("x", {3, 5})}, [](auto& t, auto v) {
                                static const Ids lengths{0, 1, 5};
                                return t.apply(softmax_op, {v[0]}, {view(lengths)},
                                               SoftmaxOptions{});
                              }});
}

void row_cases(Cases& cases) {
  for (const Ids& o : kOffsets) {
    const Index n = rows(o), b = examples(o), d = 5;
    const std::string what = Shape{n, d}.text() + " in " + std::to_string(b);
    const auto on_rows = [&](const std::string& op, std::vector<CheckedInput> more, auto f) {
      std::vector<CheckedInput> inputs = {input("x", {n, d})};
      for (CheckedInput& m : more) inputs.push_back(std::move(m));
      cases[op].push_back(
          {what, std::move(inputs), [f, &o](auto& t, auto v) { return f(t, v, o); }});
    };
    on_rows("mean_pool", {},
            [](auto& t, auto v, const Ids& off) { return mean_pool(t, v[0], view(off)); });
    on_rows("attention_pool", {input("scores", {n, 1})}, [](auto& t, auto v, const Ids& off) {
      return attention_pool(t, v[0], v[1], view(off));
    });
    if (n == 1) cases["attention_pool"].back().flat = {"scores"};  // a softmax of one
    on_rows("insert_cls", {input("cls", {d})},
            [](auto& t, auto v, const Ids& off) { return insert_cls(t, v[0], v[1], view(off)); });
    on_rows("position_1d", {input("table", {4, d})},
            [](auto& t, auto v, const Ids& off) { return position_1d(t, v[0], v[1], view(off)); });
    for (const auto pattern : {AttentionPattern::full, AttentionPattern::causal}) {
      const Index heads = 2, d_k = 3, d_v = 5;
      cases["attention"].push_back(
          {what,
           {input("q", {n, heads * d_k}), input("k", {n, heads * d_k}),
            input("v", {n, heads * d_v})},
           [pattern, &o](auto& t, auto v) {
             static const Ids ids{11, 12, 13, 14};
             AttentionOptions options;
             options.n_heads = 2;
             options.pattern = pattern;
             options.dropout = {0.25, 1234, 3};
             const View<const std::int32_t> example(ids.data(), {examples(o)});
             return attention(t, v[0], v[1], v[2], view(o), view(o), example, options);
           }});
      if (n == 1) cases["attention"].back().flat = {"q", "k"};
    }
  }
  // Every example must have a first row.
  for (const Ids& o : std::vector<Ids>{{0, 1}, {0, 2, 3}, {0, 1, 2, 9}, {0, 4}, {0, 6, 11}}) {
    cases["first_row"].push_back({"first of " + std::to_string(rows(o)),
                                  {input("x", {rows(o), 3})},
                                  [o](auto& t, auto v) { return first_row(t, v[0], view(o)); }});
  }
  // Grids below, at and above the tables' length, with and without a class row.
  const std::vector<Ids> grids = {{1, 1}, {2, 3}, {4, 1, 1, 5}, {7, 2}, {3, 3, 2, 9}};
  for (const Ids& g : grids) {
    for (const bool cls : {false, true}) {  // and the two readings of tables
      Ids offsets{0};
      for (std::size_t i = 0; i < g.size(); i += 2)
        offsets.push_back(offsets.back() + g[i] * g[i + 1] + (cls ? 1 : 0));
      cases["position_2d"].push_back(
          {"grid",
           {input("x", {rows(offsets), 3}), input("rows", {3, 3}), input("columns", {4, 3})},
           [g, offsets, cls](auto& t, auto v) {
             PackedRows packed;
             packed.offsets = view(offsets);
             packed.grid =
                 View<const std::int32_t>(g.data(), {static_cast<Index>(g.size() / 2), 2});
             return position_2d(t, v[0], v[1], v[2], packed, cls, !cls && g[0] != 7);
           }});
    }
  }
  // Cross-attention with keys of another number, shared by pairs of heads; an example without keys.
  cases["attention"].push_back({"grouped keys, one example without keys",
                                {input("q", {5, 12}), input("k", {4, 6}), input("v", {4, 4})},
                                [](auto& t, auto v) {
                                  static const Ids q_off{0, 2, 5}, k_off{0, 4, 4}, ids{3, 4};
                                  AttentionOptions options;
                                  options.n_heads = 4;
                                  options.n_kv_heads = 2;
                                  return attention(t, v[0], v[1], v[2], view(q_off), view(k_off),
                                                   view(ids), options);
                                }});
}

// One case for each part that learns or that reads arrays of its own; the kernels' tests walk
// through all combinations.
void attention_cases(Cases& cases) {
  static const Ids offsets{0, 7, 7, 12}, ids{3, 4, 5};
  const Index n = 12, heads = 2;
  const auto add = [&](const std::string& what, CheckedInput learned, auto set_up) {
    std::vector<CheckedInput> inputs{input("q", {n, 6}), input("k", {n, 6}), input("v", {n, 4})};
    if (!learned.name.empty()) inputs.push_back(std::move(learned));
    cases["attention"].push_back(
        {what, std::move(inputs), [=](auto& t, auto v) {
           AttentionOptions options;
           options.n_heads = heads;
           AttentionVars vars;
           kernels::AttentionRows rows{view(offsets), view(offsets), view(ids)};
           set_up(options, vars, rows, v.back());
           return attention(t, v[0], v[1], v[2], vars, rows, options);
         }});
  };
  add("additive", input("w", {heads, 3}), [](auto& o, auto& vars, auto&, Var last) {
    o.score = kernels::Score::additive;
    vars.w = last;
  });
  add("a given bias", input("bias", {heads, n, n}),
      [](auto&, auto& vars, auto&, Var last) { vars.bias = last; });
  add("relative, in a window", input("table", {heads, 5}),
      [](auto& o, auto& vars, auto&, Var last) {
        o.bias = kernels::Bias::relative;
        o.pattern = AttentionPattern::window;
        o.window = 3;
        vars.table = last;
      });
  add("cosine with a gain by head", input("gain", {heads}),
      [](auto& o, auto& vars, auto&, Var last) {
        o.score = kernels::Score::cosine;
        vars.gain = last;
      });
  add("alibi_2d and entmax15", {}, [](auto& o, auto&, auto& rows, Var) {
    static const Ids positions = [] {
      Ids p;
      for (int i = 0; i < 12; ++i) p.insert(p.end(), {i / 4, i % 4});
      return p;
    }();
    o.bias = kernels::Bias::alibi_2d;
    o.normaliser = kernels::Normaliser::entmax15;
    o.temperature = 2;
    rows.q_positions = rows.k_positions = {positions.data(), {12, 2}};
  });
  // The second output: by tiles, by rows of a few keys and of all, of unit rows, by runs of heads.
  static const Ids unequal{2, 4};
  for (const std::string what : {"tiles", "top_k", "alibi", "cosine", "widths"}) {
    cases["attention"].push_back(
        {"lse of " + what, {input("q", {n, 6}), input("k", {n, 6})}, [=](auto& t, auto v) {
           AttentionOptions o;
           o.n_heads = heads;
           o.temperature = 1.5;
           if (what == "top_k") o.select = kernels::Select::top_k;
           if (what == "alibi") o.bias = kernels::Bias::alibi;
           if (what == "cosine") o.score = kernels::Score::cosine;
           o.k = 2;
           const auto widths = what == "widths" ? view(unequal) : View<const std::int32_t>();
           const Var y =
               t.apply(attention_op, {v[0], v[1], v[1]},
                       {view(offsets), view(offsets), view(ids), {}, {}, {}, {}, widths}, o);
           return Tape<double>::output(y, 1);
         }});
  }
  add("edges", {}, [](auto& o, auto&, auto& rows, Var) {
    static const Ids indptr{0, 3, 5, 5, 6, 9, 10, 12, 14, 15, 15, 17, 20},
        indices{0, 1, 6, 2, 5, 4, 0, 3, 5, 1, 2, 3, 8, 9, 10, 7, 11, 7, 8, 11};
    o.pattern = AttentionPattern::edges;
    rows.indptr = view(indptr);
    rows.indices = view(indices);
  });
}

// Feature maps, sums of keys and values, projected rows.
void linear_attention_cases(Cases& cases) {
  for (const Shape& s : kMatrices) {
    cases["elu_plus_one"].push_back(
        {s.text(), {input("x", s, 3)}, [](auto& t, auto v) { return elu_plus_one(t, v[0]); }});
    cases["repeat_columns"].push_back(
        {s.text(), {input("x", s)}, [](auto& t, auto v) { return repeat_columns(t, v[0], 3); }});
  }
  for (const Ids& o : kOffsets) {
    const Index n = rows(o);
    const std::string what = std::to_string(n) + " rows in " + std::to_string(examples(o));
    for (const bool causal : {false, true}) {
      // Features are positive.
      const auto positive = [](CheckedInput in) {
        for (double& x : in.values) x = std::abs(x) + 0.1;
        return in;
      };
      cases["linear_attention"].push_back(
          {what,
           {positive(input("q", {n, 12})), positive(input("k", {n, 6})), input("v", {n, 4})},
           [causal, &o](auto& t, auto v) {
             return linear_attention(t, v[0], v[1], v[2], view(o), view(o), {4, 2, causal});
           }});
      if (n == 1) cases["linear_attention"].pop_back();  // one weight is 1 but for rounding
    }
    for (const auto shift : {kernels::FeatureShift::row, kernels::FeatureShift::sequence,
                             kernels::FeatureShift::none}) {
      cases["performer_features"].push_back(
          {what, {input("x", {n, 6}), input("directions", {5, 3})}, [shift, &o](auto& t, auto v) {
             return performer_features(t, v[0], v[1], view(o), shift);
           }});
    }
    cases["project_rows"].push_back(
        {what, {input("x", {n, 3}), input("weight", {2, 17})}, [&o](auto& t, auto v) {
           return project_rows(t, v[0], v[1], view(o));
         }});
    cases["sinusoidal"].push_back({what, {input("x", {n, 5})}, [&o](auto& t, auto v) {
                                     return sinusoidal(t, v[0], view(o), 3);
                                   }});
  }
}

// Heads of one width and of different ones.
void head_cases(Cases& cases) {
  static const Ids wide{2, 5, 1}, narrow{1}, two{3, 3};
  const std::vector<std::pair<Ids, Index>> layouts{
      {{}, 1}, {{}, 3}, {wide, 8}, {narrow, 1}, {two, 6}};
  for (const auto& layout : layouts) {
    const Ids& widths = layout.first;
    const Index columns = layout.second;
    const Index heads = widths.empty() ? columns / 2 + 1 : static_cast<Index>(widths.size());
    const Index d = widths.empty() ? 3 * heads : columns;
    const auto given = [widths](auto& t) {
      return widths.empty() ? View<const std::int32_t>() : kept(t, widths);
    };
    const std::string what = std::to_string(heads) + " heads in " + std::to_string(d);
    for (const auto kind :
         {kernels::HeadNorm::rms, kernels::HeadNorm::layer, kernels::HeadNorm::unit}) {
      cases["head_norm"].push_back(
          {what, {input("x", {4, d}), input("gain", {d})}, [=](auto& t, auto v) {
             return head_norm(t, v[0], v[1], given(t), {heads, kind, 0.1});
           }});
      if (d == 1 && kind != kernels::HeadNorm::rms) cases["head_norm"].pop_back();  // a sign, or 0
    }
    cases["scale_heads"].push_back(
        {what, {input("x", {4, d}), input("gain", {heads})}, [=](auto& t, auto v) {
           return scale_heads(t, v[0], v[1], given(t));
         }});
  }
  cases["attention"].push_back(
      {"heads of different widths",
       {input("q", {7, 8}), input("k", {7, 8}), input("v", {7, 8}), input("w", {8})},
       [](auto& t, auto v) {
         static const Ids offsets{0, 4, 7};
         AttentionOptions options;
         options.n_heads = 3;
         options.score = kernels::Score::additive;
         return attention(t, v[0], v[1], v[2], {.w = v[3]}, {view(offsets), view(offsets)}, options,
                          view(wide));
       }});
}

const Cases& all_cases() {
  static const Cases cases = [] {
    Cases c;
    matrix_cases(c);
    row_cases(c);
    attention_cases(c);
    head_cases(c);
    linear_attention_cases(c);
    graph_cases(c);
    sequence_cases(c);
    return c;
  }();
  return cases;
}

class Gradients : public testing::TestWithParam<const Op*> {};

TEST_P(Gradients, MatchCentralDifferences) {
  const auto found = all_cases().find(std::string(GetParam()->name));
  ASSERT_NE(found, all_cases().end()) << "no cases for " << GetParam()->name;
  EXPECT_GE(found->second.size(), 5U);
  for (const Case& c : found->second) {
    const GradientCheck check = check_gradients(c.f, c.inputs);
    ASSERT_EQ(check.entries.size(), c.inputs.size());
    for (const GradientCheck::Entry& e : check.entries) {
      EXPECT_LT(e.worst, 1e-6) << found->first << " " << c.what << " " << e.name;
      EXPECT_FALSE(std::isnan(e.worst)) << found->first << " " << c.what << " " << e.name;
    }
    for (const auto& e : check.entries)
      EXPECT_EQ(e.gradient_norm > 0, !c.flat.contains(e.name))
          << found->first << " " << c.what << " " << e.name;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOp, Gradients, testing::ValuesIn(all_ops().begin(), all_ops().end()),
                         [](const auto& op) { return std::string(op.param->name); });

// The tester tested: an op whose backward forgets a term must not pass.
TEST(GradientCheck, CatchesALayerNormThatForgetsATerm) {
  static Op broken = layer_norm_op;
  broken.f64.backward = [](OpCall<double>& c) {
    // dx without the mean of g · x̂: exact for constant dy, which is why dy is random.
    const Index d = c.in[0].dim(1);
    for (Index i = 0; i < c.in[0].dim(0); ++i) {
      double mean = 0;
      for (Index j = 0; j < d; ++j)
        mean += c.grad_out[0](i, j) * c.in[1][j] / static_cast<double>(d);
      for (Index j = 0; j < d; ++j)
        c.grad_in[0](i, j) += c.saved[1][i] * (c.grad_out[0](i, j) * c.in[1][j] - mean);
    }
  };
  const auto check = check_gradients(
      [](auto& t, auto v) {
        return t.apply(broken, {v[0], v[1], v[2]}, {}, NormOptions{});
      },
      {input("x", {3, 5}), input("gain", {5}), input("bias", {5})});
  EXPECT_GT(check.entries[0].worst, 1e-2);
}

TEST(GradientCheck, SeesABackwardThatDoesNothing) {
  static Op idle = add_op;
  idle.f64.backward = [](OpCall<double>&) {};
  const auto check = check_gradients(
      [](auto& t, auto v) {
        return t.apply(idle, {v[0], v[1]});
      },
      {input("a", {2, 3}), input("b", {2, 3})});
  EXPECT_GT(check.worst(), 0.5);
  EXPECT_EQ(check.smallest_norm(), 0);
}

// A wrong step size shows: the check measures something.
TEST(GradientCheck, AnAbsurdStepFails) {
  const auto check =
      check_gradients([](auto& t, auto v) { return gelu(t, v[0]); }, {input("x", {2, 3}, 3)}, 2.0);
  EXPECT_GT(check.worst(), 1e-3);
}

}  // namespace
}  // namespace attune::gradients
