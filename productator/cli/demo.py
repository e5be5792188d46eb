"""The first minutes with Productator: a few products, and what to type."""

from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from productator.catalogue import products
from productator.config import Settings
from productator.domain import NewProduct, utc_now

PRODUCTS = (
    NewProduct("Espresso machine Lelia PL41", "15 bar pump, steam wand, 2.7 l tank"),
    NewProduct("Burr grinder Mignon Crono", "50 mm flat burrs, stepless adjustment"),
    NewProduct("Trekking backpack Alpin 45", "45 l, rain cover, 1.6 kg"),
    NewProduct("Down jacket Kolga", "750 fill power, packs into its own pocket, 380 g"),
    NewProduct("Mechanical keyboard K87", "87 keys, hot-swappable tactile switches, USB-C"),
    NewProduct("27-inch monitor Vista 2715", "2560 x 1440, 165 Hz, IPS"),
    NewProduct("Noise-cancelling headphones Calm 3", "Over-ear, 35 h battery, folding"),
    NewProduct("E-reader Page 7", "7-inch 300 ppi screen, warm light, waterproof"),
    NewProduct("Robot vacuum Rover S5", "Lidar mapping, mop, 5200 mAh"),
    NewProduct("Cast-iron pan 28 cm", "Pre-seasoned, fits induction hobs"),
    NewProduct("City bike Vltava 28", "8 gears, belt drive, dynamo lights"),
    NewProduct("Wooden train set Posázaví", "92 pieces, from three years of age"),
)


def load(engine: Engine) -> int:
    """Creates the demo products, unless there are or ever were products; returns how many were created."""
    with sessionmaker(engine)() as session:
        if products.count(session):
            return 0
        created = [products.create(session, draft, now=utc_now()) for draft in PRODUCTS]
        # No id is given twice, so a higher one tells of products that may have been deleted on purpose.
        if created[0].id > len(PRODUCTS):
            return 0
        session.commit()
        return len(created)


def banner(settings: Settings, loaded: int, token: str | None) -> str:
    """What runs where, and what to type; `token` is one that was made just now."""
    api = f"http://127.0.0.1:{settings.port}"
    bearer = ' -H "Authorization: Bearer $TOKEN"'
    reading, writing = {"off": ("", ""), "write": ("", bearer), "all": (bearer, bearer)}[settings.auth]
    return "\n".join(
        [
            "",
            f"  Productator's API      {api}/api/v1/products",
            f"  Refresher's metrics    http://127.0.0.1:{settings.refresher_metrics_port}/metrics",
            f"  Offers service         {settings.offers_address}",
            f"  {loaded} demo products loaded."
            if loaded
            else "  No demo products loaded: there are or were others.",
            "",
            *_about_tokens(settings, token),
            "  Try this in another terminal; prices move every few seconds,",
            f"  and are fetched every {settings.refresher_period_s:g} s:",
            "",
            f"    curl '{api}/api/v1/products/1/offers?sort=price'{reading}",
            f"    curl -X POST {api}/api/v1/products/1/refresh{writing}",
            "",
        ]
    )


def _about_tokens(settings: Settings, token: str | None) -> list[str]:
    if settings.auth == "off":
        return []
    asked = {"write": "Writing", "all": "Every call"}[settings.auth]
    if token is None:
        return [
            f"  {asked} needs a token: the one you were given, or one made by",
            "  `productator tokens create NAME --scope write`, as $TOKEN.",
            "",
        ]
    return [
        f"  {asked} needs a token. This one may do everything, and is shown only now:",
        "",
        f"    export TOKEN={token}",
        "",
    ]
