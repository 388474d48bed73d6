#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/pass.h"

namespace attune {

// How a model knows the places of rows: in their example (1-D) or in its grid (2-D).
enum class Position {
  none,
  learned,        // table[i]; sequences longer than the table read it by interpolation
  sinusoidal,     // sines and cosines of i (Vaswani et al. 2017, section 3.5)
  periodic,       // those of i mod period
  factorised_2d,  // rows[r] + columns[c]; larger grids read the tables by interpolation
  fractional_2d,  // the tables read at the middle of the patch, as a share of its side (Dehghani et
                  // al. 2023, NaViT)
  rope,           // queries and keys rotated by i (Su et al. 2021)
  rope_2d,        // half of them by r, half by c
};

struct PositionSpec {
  Position position = Position::learned;
  Index position_size = 256;
  std::optional<Index> period;

  void fields(FieldList& f);
  bool needs_grid() const;
  std::string word() const;  // "rope_2d"
  // What is wrong with rotating heads of these widths; `position` is the key.
  std::optional<Complaint> complaint(const std::vector<Index>& head_widths) const;
};

// Positions of a model of d columns. Tables stand in `<path>.table`, or `<path>.rows` and
// `<path>.columns`.
class Positions {
 public:
  Positions() = default;
  Positions(Registry& r, const std::string& path, Index d, const PositionSpec& spec);

  // x [n, d] with what its rows' places add to it.
  template <class Real>
  Var added(const Pass<Real>& pass, Var x) const;
  // The pass with the places by which attention rotates queries and keys, for rope; as it was for
  // other kinds. A class token put in front later (with_cls_rows) is not rotated.
  template <class Real>
  Pass<Real> rotating(const Pass<Real>& pass) const;

 private:
  PositionSpec spec_;
  ParameterId table_, rows_, columns_;
};

// Row and column of each packed row in the grid of its example, [n, 2]; `of_none` for rows in front
// of the grid's. A pack without a grid, or one that has more places than rows, is a ShapeError.
View<const std::int32_t> grid_places(const PackedRows& rows, std::int32_t of_none, Arena& arena);

}  // namespace attune
