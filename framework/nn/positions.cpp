#include "nn/positions.h"

namespace attune {
namespace {

// Tables begin small beside the embedding of tokens (Dosovitskiy et al. 2021, their code).
constexpr double kTableSd = 0.02;

std::vector<std::pair<std::string, Position>> words() {
  return {{"none", Position::none},
          {"learned", Position::learned},
          {"sinusoidal", Position::sinusoidal},
          {"periodic", Position::periodic},
          {"factorised_2d", Position::factorised_2d},
          {"fractional_2d", Position::fractional_2d},
          {"rope", Position::rope},
          {"rope_2d", Position::rope_2d}};
}

}  // namespace

void PositionSpec::fields(FieldList& f) {
  f.choice("position", position, words(), Role::result, "how rows know their place");
  f.integer("position_size", position_size, {1, 1 << 20}, Role::result,
            "length of the position tables; what is longer reads them by interpolation");
  f.integer("period", period, {1, 1e9}, Role::result,
            "position periodic: rows from one place to the next like it");
  f.rule([this]() -> std::optional<Complaint> {
    if (position != Position::periodic || period) return std::nullopt;
    return Complaint{"position",
                     "position=periodic needs period, which is not set",
                     "set period to a whole number from 1 on",
                     {"period"}};
  });
}

bool PositionSpec::needs_grid() const {
  return position == Position::factorised_2d || position == Position::fractional_2d ||
         position == Position::rope_2d;
}

std::string PositionSpec::word() const {
  for (const auto& [word, kind] : words())
    if (kind == position) return word;
  return "?";
}

std::optional<Complaint> PositionSpec::complaint(const std::vector<Index>& head_widths) const {
  const Index step = position == Position::rope ? 2 : position == Position::rope_2d ? 4 : 1;
  if (step == 1) return std::nullopt;
  for (const Index width : head_widths) {
    if (width != head_widths[0])
      return Complaint{"position",
                       fmt::format("position={} with heads of different widths, of which it can "
                                   "rotate none",
                                   word()),
                       "leave out attention.head_widths, or choose other positions",
                       {"attention.head_widths"}};
  }
  for (const Index width : head_widths) {
    if (width % step != 0)
      return Complaint{"position",
                       fmt::format("position={} rotates heads whose width is a multiple of {}, and "
                                   "here they have {} columns",
                                   word(), step, width),
                       "change d_model or n_heads",
                       {"d_model", "n_heads"}};
  }
  return std::nullopt;
}

Positions::Positions(Registry& r, const std::string& path, Index d, const PositionSpec& spec)
    : spec_(spec) {
  const auto table = [&](const char* name) {
    return r.parameter(path + name, {spec.position_size, d}, Initialiser::normal(kTableSd),
                       Decay::no);
  };
  if (spec.position == Position::learned) table_ = table(".table");
  if (spec.position == Position::factorised_2d || spec.position == Position::fractional_2d) {
    rows_ = table(".rows");
    columns_ = table(".columns");
  }
}

template <class Real>
Var Positions::added(const Pass<Real>& pass, Var x) const {
  switch (spec_.position) {
    case Position::learned:
      return position_1d(pass.tape, x, pass[table_], pass.rows.offsets);
    case Position::sinusoidal:
      return sinusoidal(pass.tape, x, pass.rows.offsets, 0);
    case Position::periodic:
      return sinusoidal(pass.tape, x, pass.rows.offsets, *spec_.period);
    case Position::factorised_2d:
    case Position::fractional_2d:
      return position_2d(pass.tape, x, pass[rows_], pass[columns_], pass.rows, false,
                         spec_.position == Position::fractional_2d);
    case Position::none:
    case Position::rope:
    case Position::rope_2d:
      break;
  }
  return x;
}

template <class Real>
Pass<Real> Positions::rotating(const Pass<Real>& pass) const {
  Pass<Real> rotated = pass;
  if (spec_.position == Position::rope) rotated.places = pass.coordinates.token;
  if (spec_.position == Position::rope_2d)
    rotated.places = grid_places(pass.rows, 0, pass.tape.arena());
  return rotated;
}

View<const std::int32_t> grid_places(const PackedRows& rows, std::int32_t of_none, Arena& arena) {
  ATTUNE_CHECK(rows.grid, ShapeError,
               "[model] positions in a grid are asked for, and the rows have none");
  const auto places = arena.view<std::int32_t>({rows.n_rows(), 2});
  for (Index e = 0; e < rows.n_examples(); ++e) {
    const Index columns = rows.grid(e, 1), cells = rows.grid(e, 0) * columns;
    const Index first = rows.offsets[e], end = rows.offsets[e + 1], in_front = end - first - cells;
    ATTUNE_CHECK(in_front >= 0, ShapeError, "[model] example {} has {} rows for a grid of {} x {}",
                 e, end - first, rows.grid(e, 0), columns);
    for (Index i = first; i < end; ++i) {
      const Index cell = i - first - in_front;
      places(i, 0) = cell < 0 ? of_none : static_cast<std::int32_t>(cell / columns);
      places(i, 1) = cell < 0 ? of_none : static_cast<std::int32_t>(cell % columns);
    }
  }
  return places;
}

template Var Positions::added(const Pass<float>&, Var) const;
template Var Positions::added(const Pass<double>&, Var) const;
template Pass<float> Positions::rotating(const Pass<float>&) const;
template Pass<double> Positions::rotating(const Pass<double>&) const;

}  // namespace attune
