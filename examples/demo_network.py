"""The small cat-or-dog network that `layerscope demo` shows, to be trained by the command.

    layerscope train DATA -o cats_dogs.keras --model examples/demo_network.py:demo_network \\
        --augment --batch 32 --steps 63 --epochs 120 --seed 1

It is the usual stack of convolutions and max-poolings, made small enough to travel inside a
package. It comes compiled, so that the command leaves its optimizer and its loss as they are.
"""

from typing import Any

import keras
from keras import layers

SIZE = 150
FILTERS = (24, 48, 96, 128, 128)
STEPS, EPOCHS, WARM_UP = 63, 120, 2
PEAK_RATE = 2e-3


def demo_network() -> Any:
    """Five convolutions, each but the last followed by a pooling that halves the maps."""
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
    for stage, filters in enumerate(FILTERS):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        if stage < len(FILTERS) - 1:
            model.add(layers.MaxPooling2D())
        model.add(layers.BatchNormalization())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(1, activation="sigmoid"))
    rate = keras.optimizers.schedules.CosineDecay(
        PEAK_RATE / 10,
        (EPOCHS - WARM_UP) * STEPS,
        alpha=0.0,
        warmup_target=PEAK_RATE,
        warmup_steps=WARM_UP * STEPS,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3),
        loss=keras.losses.BinaryCrossentropy(label_smoothing=0.05),
        metrics=["accuracy"],
        # On a CPU, TensorFlow's own convolutions are about three times as fast as XLA's.
        jit_compile=False,
    )
    return model
