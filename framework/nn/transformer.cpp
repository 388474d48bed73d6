#include "nn/transformer.h"

#include "kernels/attention/parts.h"
#include "nn/edges.h"
#include "nn/seq2seq.h"

namespace attune {
namespace {

// The class token begins small (Dosovitskiy et al. 2021, their code).
constexpr double kClassTokenSd = 0.02;

bool looks_back(kernels::Pattern pattern) {
  return kernels::part_of(kernels::pattern_parts, pattern).causal;
}

std::string pattern_word(kernels::Pattern pattern) {
  return std::string(kernels::word_of(kernels::pattern_words, pattern));
}

}  // namespace

void TransformerOptions::fields(FieldList& f) {
  EncoderOptions::fields(f);
  PositionSpec::fields(f);
  f.choice("pool", pool,
           {{"mean", Pool::mean},
            {"cls", Pool::cls},
            {"attention", Pool::attention},
            {"last", Pool::last},
            {"pma", Pool::pma}},
           Role::result,
           "how an example's rows become one, where rows have no targets; pma: attention by a "
           "learned seed (Set Transformer)");
  f.boolean("tie_embedding", tie_embedding, Role::result,
            "the embedding of tokens is the head's weight, too");
  f.group("init", init, "how weights begin");
  f.rule([this] { return complaint(attention.widths(d_model, n_heads)); });
  f.rule([this]() -> std::optional<Complaint> {
    if (pool != Pool::pma || d_model % n_heads == 0) return std::nullopt;
    return Complaint{"pool",
                     fmt::format("pool=pma has heads of equal widths, and n_heads={} does not "
                                 "divide d_model={}",
                                 n_heads, d_model),
                     "choose another pool, or other n_heads",
                     {"n_heads", "d_model"}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (pool != Pool::cls || attention.kind != "exact" ||
        attention.pattern != AttentionPattern::edges)
      return std::nullopt;
    return Complaint{"pool",
                     "pool=cls adds a row, which attention.pattern=edges joins to no other",
                     "set model.pool to mean, attention or pma",
                     {"attention.pattern"}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (pool != Pool::cls || attention.kind == "linformer" || !looks_back(attention.pattern))
      return std::nullopt;
    return Complaint{"pool",
                     "pool=cls reads the class token, which is the first row and under "
                     "attention.pattern=" +
                         pattern_word(attention.pattern) + " sees itself alone",
                     "set model.pool to mean or attention, or model.attention.pattern=full",
                     {"attention.pattern"}};
  });
}

std::optional<Complaint> TransformerOptions::misfit(const RowSpec& spec) const {
  if (const auto asked = reads_no_queries(spec)) return asked;
  if (const auto blind = attention.misfit(spec)) return blind;
  if (spec.kind == RowSpec::Kind::patches)
    return Complaint{"kind", "reads sequences, and this data are images", "set model.kind=vit", {}};
  if (const auto grid = needs_a_grid(*this, attention)) return grid;
  if (spec.targets_ahead && attention.kind == "linformer")
    return Complaint{"attention.kind",
                     "mixes all rows of an example by attention.kind=linformer, and this data has "
                     "a row's target in the next row",
                     "set model.attention.kind to exact, linear or performer",
                     {}};
  if (spec.targets_ahead && !looks_back(attention.pattern))
    return Complaint{"attention.pattern",
                     "lets rows see the rows behind them by attention.pattern=" +
                         pattern_word(attention.pattern) +
                         ", and this data has their targets there",
                     "set model.attention.pattern=causal, which model.kind=decoder begins with",
                     {}};
  if (spec.row_targets && pool == Pool::cls)
    return Complaint{"pool",
                     "would add a row without a target by pool=cls, and here every row has one",
                     "leave pool out",
                     {}};
  if (tie_embedding && (spec.kind != RowSpec::Kind::tokens || spec.vocabulary != spec.n_classes))
    return Complaint{
        "tie_embedding",
        fmt::format("needs as many classes as tokens for tie_embedding, and here are {} "
                    "classes and {} tokens",
                    spec.n_classes, spec.vocabulary),
        "set model.tie_embedding=false",
        {}};
  return too_long(attention, spec.longest + rows_in_front(spec));
}

std::unique_ptr<Model> TransformerOptions::make(Registry& r, const RowSpec& spec) const {
  return std::make_unique<Transformer>(r, *this, spec);
}

VitOptions::VitOptions() {
  position = Position::factorised_2d;
  position_size = 32;
}

void VitOptions::fields(FieldList& f) {
  f.integer("patch", patch, {1, 256}, Role::result, "side of a square patch, in pixels");
  TransformerOptions::fields(f);
  f.forget("tie_embedding");  // images have no tokens
}

std::optional<Complaint> VitOptions::misfit(const RowSpec& spec) const {
  if (const auto asked = reads_no_queries(spec)) return asked;
  if (const auto blind = attention.misfit(spec)) return blind;
  if (spec.kind == RowSpec::Kind::patches)
    return too_long(attention, spec.longest + rows_in_front(spec));
  return Complaint{
      "kind", "reads images, and this data has none", "set model.kind=encoder or decoder", {}};
}

DecoderOptions::DecoderOptions() {
  attention.pattern = AttentionPattern::causal;
  pool = Pool::last;
}

Transformer::Transformer(Registry& r, const TransformerOptions& o, const RowSpec& spec)
    : options_(o), spec_(spec) {
  const Index d = o.d_model;
  r.set_weights(o.init.weights(), o.init.residual(o.n_layers));
  embed_ = InputRows(r, "", spec, d);
  positions_ = Positions(r, "position", d, o);
  const bool pools = !spec.row_targets;
  if (pools && o.pool == Pool::cls)
    cls_ = r.parameter("cls", {d}, Initialiser::normal(kClassTokenSd), Decay::no);
  encoder_ = Encoder(r, "encoder", o);
  if (pools && o.pool == Pool::attention) pool_score_ = Linear(r, "pool.weight", "pool.bias", d, 1);
  if (pools && o.pool == Pool::pma) pma_ = AttentionPooling(r, "pool", d, o.n_heads, o.d_mlp());
  if (!o.tie_embedding) head_ = Linear(r, "head.weight", "head.bias", d, spec.n_classes);
}

template <class Real>
Var Transformer::pooled(const Pass<Real>& pass, Var x) const {
  switch (options_.pool) {
    case Pool::cls:
      return first_row(pass.tape, x, pass.rows.offsets);
    case Pool::attention:
      return attention_pool(pass.tape, x, pool_score_(pass, x), pass.rows.offsets);
    case Pool::pma:
      return pma_(pass, x);
    case Pool::last:
      return embedding(pass.tape, x, last_rows(pass.rows, pass.tape.arena()));
    case Pool::mean:
      break;
  }
  return mean_pool(pass.tape, x, pass.rows.offsets);
}

template <class Real>
Var Transformer::head(const Pass<Real>& pass, Var x) const {
  return options_.tie_embedding ? linear(pass.tape, x, pass[embed_.token()]) : head_(pass, x);
}

template <class Real>
Var Transformer::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Var x = positions_.added(pass, embed_(pass, input));
  Pass<Real> placed = positions_.rotating(pass);
  if (options_.attention.pattern == AttentionPattern::edges)
    placed.edges = neighbour_sets(input.edges, true, pass.tape.arena());
  if (spec_.row_targets) return head(placed, encoder_(placed, x));
  if (options_.pool != Pool::cls) return head(placed, pooled(placed, encoder_(placed, x)));
  // The class token becomes row 0 of each example; from here on every example has a row more.
  x = insert_cls(pass.tape, x, pass[cls_], pass.rows.offsets);
  const Pass<Real> longer = with_cls_rows(placed);
  return head(longer, pooled(longer, encoder_(longer, x)));
}

template Var Transformer::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var Transformer::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
