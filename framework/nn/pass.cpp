#include "nn/pass.h"

#include <algorithm>

#include "kernels/packed_rows.h"

namespace attune {

RowCoordinates coordinates_of(const PackedRows& rows, Arena& arena) {
  const auto example = arena.view<std::int32_t>({rows.n_rows()});
  const auto token = arena.view<std::int32_t>({rows.n_rows()});
  kernels::row_coordinates(rows.offsets, rows.example, example, token);
  return {example, token};
}

RowCoordinates coordinates_of_examples(const PackedRows& rows, Arena& arena) {
  return {rows.example, arena.zeros<std::int32_t>({rows.n_examples()})};
}

View<const std::int32_t> last_rows(const PackedRows& rows, Arena& arena) {
  const auto last = arena.view<std::int32_t>({rows.n_examples()});
  for (Index e = 0; e < rows.n_examples(); ++e) last[e] = rows.offsets[e + 1] - 1;
  return last;
}

template <class Real>
Pass<Real> with_cls_rows(const Pass<Real>& pass) {
  Pass<Real> longer = pass;
  const Index n = pass.rows.n_examples();
  const auto offsets = pass.tape.arena().template view<std::int32_t>({n + 1});
  for (Index e = 0; e <= n; ++e) offsets[e] = pass.rows.offsets[e] + static_cast<std::int32_t>(e);
  longer.rows.offsets = offsets;
  longer.coordinates = coordinates_of(longer.rows, pass.tape.arena());
  if (pass.places) {
    const Index axes = pass.places.rank() == 2 ? 2 : 1, rows = longer.rows.n_rows();
    const auto places =
        pass.tape.arena().template zeros<std::int32_t>(axes == 2 ? Shape{rows, 2} : Shape{rows});
    for (Index e = 0; e < n; ++e)
      std::copy(pass.places.data() + axes * pass.rows.offsets[e],
                pass.places.data() + axes * pass.rows.offsets[e + 1],
                places.data() + axes * (offsets[e] + 1));
    longer.places = places;
  }
  return longer;
}

template <class Real>
Pass<Real> with_rows_each(const Pass<Real>& pass, Index n) {
  Pass<Real> other = pass;
  const auto offsets = pass.tape.arena().template view<std::int32_t>({pass.rows.n_examples() + 1});
  for (Index e = 0; e < offsets.size(); ++e) offsets[e] = static_cast<std::int32_t>(e * n);
  other.rows = {offsets, pass.rows.example, {}};
  other.coordinates = coordinates_of(other.rows, pass.tape.arena());
  other.places = {};
  return other;
}

template <class Real>
Var repeated(const Pass<Real>& pass, Var table) {
  return embedding(pass.tape, table, pass.coordinates.token);
}

template Pass<float> with_rows_each(const Pass<float>&, Index);
template Pass<double> with_rows_each(const Pass<double>&, Index);
template Var repeated(const Pass<float>&, Var);
template Var repeated(const Pass<double>&, Var);
template Pass<float> with_cls_rows(const Pass<float>&);
template Pass<double> with_cls_rows(const Pass<double>&);

}  // namespace attune
