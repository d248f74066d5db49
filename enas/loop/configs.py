"""Turns the scripts' settings into the configurations of child and controller."""

import tensorflow as tf

from enas.flags.table import Settings
from enas.images.batch_augment import BatchAugmentation
from enas.micro_controller import ControllerConfig
from enas.models import ChildConfig
from enas.space.layer_plan import parse_pool_layers
from enas.space.schemes import head_spec, make_scheme, specs_of
from enas.utils import TrainConfig


def child_config(
    settings: Settings, images: tf.Tensor, num_classes: int
) -> ChildConfig:
    """Returns the configuration of the child, for images [N, H, W, C]."""
    scheme, first_scheme = specs_of(
        settings.child_scheme, settings.child_first_scheme, settings.child_n_bits
    )
    return ChildConfig(
        img_size=images.shape[1],
        channels=images.shape[3],
        num_classes=num_classes,
        num_layers=settings.child_num_layers,
        num_cells=settings.child_num_cells,
        out_filters=settings.child_out_filters,
        pool_layers=parse_pool_layers(
            settings.child_pool_layers, settings.child_num_layers
        ),
        scheme=scheme.make(),
        first_scheme=first_scheme.make(),
        head_scheme=head_spec(settings.child_head_bits).make(),
        operations=settings.operations,
        use_aux_heads=settings.child_use_aux_heads,
        shortcut=settings.child_shortcut,
        op_shortcut=settings.child_op_shortcut,
        op_scale=settings.child_op_scale if settings.child_op_shortcut else 1.0,
        node_mean=settings.child_node_mean,
        share_output_kernel=settings.child_share_output_kernel,
        fold_norms=settings.child_fold_norms,
        keep_prob=settings.child_keep_prob,
        drop_path_keep_prob=settings.child_drop_path_keep_prob,
        loss=settings.child_loss,
        label_smoothing=settings.child_label_smoothing,
    )


def batch_augmentation(settings: Settings) -> BatchAugmentation | None:
    """Returns the changes to training images as they are batched; None if none."""
    augmentation = BatchAugmentation(
        crop_padding=settings.crop_padding,
        random_flip=settings.random_flip,
        random_rotation=settings.random_rotation,
        random_zoom=settings.random_zoom,
        random_shift=settings.random_shift,
        cutout_size=settings.child_cutout_size,
    )
    return augmentation if any(augmentation) else None


def train_config(settings: Settings) -> TrainConfig:
    config = TrainConfig(
        **{name: getattr(settings, f"child_{name}") for name in TrainConfig._fields}
    )
    is_float = make_scheme(settings.child_scheme, settings.child_n_bits).H is None
    return config._replace(
        optim_algo=config.optim_algo or ("momentum" if is_float else "adam")
    )


def reward_repeats(settings: Settings) -> int:
    """Returns how many samples of the controller are judged on the same batch."""
    if settings.controller_training and settings.controller_bl_of_update:
        return settings.controller_num_aggregate
    return 1


def controller_config(settings: Settings) -> ControllerConfig:
    return ControllerConfig(
        num_cells=settings.child_num_cells,
        operations=settings.operations,
        tanh_constant=settings.controller_tanh_constant,
        op_tanh_reduce=settings.controller_op_tanh_reduce,
        prefers=not settings.has_budget,
        temperature=settings.controller_temperature,
        entropy_weight=settings.controller_entropy_weight,
        baseline_decay=settings.controller_bl_dec,
        baseline_of_update=settings.controller_bl_of_update,
        lr=settings.controller_lr,
        adam_epsilon=settings.controller_adam_epsilon,
        l2_reg=settings.controller_l2_reg,
        num_aggregate=settings.controller_num_aggregate,
    )
