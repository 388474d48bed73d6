#include "train/loss.h"

namespace attune {

void LossOptions::fields(FieldList& f) {
  f.real("label_smoothing", label_smoothing, {0.0, 0.999}, Role::result,
         "probability that the targets spread evenly over the classes (Szegedy et al. 2016)");
}

}  // namespace attune
