#pragma once

#include "nn/block.h"

namespace attune {

enum class Pool { mean, cls, attention };
enum class Position { none, learned, factorised_2d };

struct VitOptions : EncoderOptions {
  Index patch = 16;
  Position position = Position::factorised_2d;
  Index position_size = 32;
  Pool pool = Pool::mean;

  void fields(FieldList& f);
};

// Vision transformer (Dosovitskiy et al. 2021) over packed images of any size (NaViT, Dehghani et
// al. 2023): patches [n, patch²] → logits [n_images, n_classes]. Position tables are read by
// interpolation where a grid is larger than they are.
class Vit {
 public:
  Vit(Registry& r, const VitOptions& options, Index n_classes);

  // `patches` holds the rows of pass.rows, in raster order by image.
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var patches) const;

 private:
  template <class Real>
  Var add_positions(const Pass<Real>& pass, Var x) const;
  template <class Real>
  Var pooled(const Pass<Real>& pass, Var x) const;

  VitOptions options_;
  Linear patch_, pool_score_, head_;
  ParameterId cls_, rows_, columns_, table_;
  Encoder encoder_;
};

}  // namespace attune
