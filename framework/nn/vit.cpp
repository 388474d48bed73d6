#include "nn/vit.h"

namespace attune {
namespace {

// Position tables and the class token begin small beside the patch embedding (Dosovitskiy et al.
// 2021, their code: normal, sd .02).
constexpr double kPositionSd = 0.02;

}  // namespace

void VitOptions::fields(FieldList& f) {
  f.integer("patch", patch, {1, 256}, Role::result, "side of a square patch, in pixels");
  EncoderOptions::fields(f);
  f.choice("position", position,
           {{"none", Position::none},
            {"learned", Position::learned},
            {"factorised_2d", Position::factorised_2d}},
           Role::result, "how patches know their place");
  f.integer("position_size", position_size, {1, 4096}, Role::result,
            "length of the position tables; larger grids read them by interpolation");
  f.choice("pool", pool, {{"mean", Pool::mean}, {"cls", Pool::cls}, {"attention", Pool::attention}},
           Role::result, "how an image's rows become one");
  f.rule([this]() -> std::optional<Complaint> {
    if (pool != Pool::cls || attention.pattern != AttentionPattern::causal) return std::nullopt;
    return Complaint{"pool",
                     "pool=cls reads the class token, which is the first row and under "
                     "attention.pattern=causal sees itself alone",
                     "set model.pool to mean or attention, or model.attention.pattern=full",
                     {"attention.pattern"}};
  });
}

Vit::Vit(Registry& r, const VitOptions& o, Index n_classes) : options_(o) {
  const Index d = o.d_model;
  const Initialiser small = Initialiser::normal(kPositionSd);
  patch_ = Linear(r, "patch.weight", "patch.bias", o.patch * o.patch, d);
  if (o.position == Position::factorised_2d) {
    rows_ = r.parameter("position.rows", {o.position_size, d}, small, Decay::no);
    columns_ = r.parameter("position.columns", {o.position_size, d}, small, Decay::no);
  }
  if (o.position == Position::learned)
    table_ = r.parameter("position.table", {o.position_size, d}, small, Decay::no);
  if (o.pool == Pool::cls) cls_ = r.parameter("cls", {d}, small, Decay::no);
  encoder_ = Encoder(r, "encoder", o);
  if (o.pool == Pool::attention) pool_score_ = Linear(r, "pool.weight", "pool.bias", d, 1);
  head_ = Linear(r, "head.weight", "head.bias", d, n_classes);
}

template <class Real>
Var Vit::add_positions(const Pass<Real>& pass, Var x) const {
  switch (options_.position) {
    case Position::none:
      return x;
    case Position::learned:
      return position_1d(pass.tape, x, pass[table_], pass.rows.offsets);
    case Position::factorised_2d:
      break;
  }
  return position_2d(pass.tape, x, pass[rows_], pass[columns_], pass.rows, false);
}

template <class Real>
Var Vit::pooled(const Pass<Real>& pass, Var x) const {
  switch (options_.pool) {
    case Pool::cls:
      return first_row(pass.tape, x, pass.rows.offsets);
    case Pool::attention:
      return attention_pool(pass.tape, x, pool_score_(pass, x), pass.rows.offsets);
    case Pool::mean:
      break;
  }
  return mean_pool(pass.tape, x, pass.rows.offsets);
}

template <class Real>
Var Vit::operator()(const Pass<Real>& pass, Var patches) const {
  Var x = add_positions(pass, patch_(pass, patches));
  if (options_.pool != Pool::cls) return head_(pass, pooled(pass, encoder_(pass, x)));
  // The class token becomes row 0 of each example; from here on every example has a row more.
  x = insert_cls(pass.tape, x, pass[cls_], pass.rows.offsets);
  const Pass<Real> longer = with_cls_rows(pass);
  return head_(longer, pooled(longer, encoder_(longer, x)));
}

template Var Vit::operator()<float>(const Pass<float>&, Var) const;
template Var Vit::operator()<double>(const Pass<double>&, Var) const;

}  // namespace attune
