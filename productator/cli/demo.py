"""Demo products, and the commands to try first."""

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
    """Creates the demo products unless there are or ever were others; returns how many it created."""
    with sessionmaker(engine)() as session:
        if products.count(session):
            return 0
        created = [products.create(session, product, now=utc_now()) for product in PRODUCTS]
        # Ids are never reused, so a higher one means that there were products, perhaps deleted on purpose.
        if created[0].id > len(PRODUCTS):
            return 0
        session.commit()
        return len(created)


def banner(settings: Settings, loaded: int, new_token: str | None) -> str:
    """The addresses of the programs, and commands ready to paste."""
    api = f"http://127.0.0.1:{settings.port}"
    metrics = f"http://127.0.0.1:{settings.refresher_metrics_port}/metrics"
    bearer = ' -H "Authorization: Bearer $TOKEN"'
    reading, writing = {"off": ("", ""), "write": ("", bearer), "all": (bearer, bearer)}[settings.auth]
    pretty = "| python3 -m json.tool"
    demo = (
        f"{loaded} demo products loaded." if loaded else "No demo products loaded: there are or were others."
    )
    return "\n".join(
        [
            "",
            *([f"  Pages for people       {api}/"] if settings.pages else []),
            f"  API                    {api}/api/v1/products",
            f"  API documentation      {api}/docs",
            *([f"  Refresher's metrics    {metrics}"] if settings.refresher_metrics_port else []),
            f"  Offers service         {settings.offers_address}",
            f"  {demo}",
            "",
            *_about_tokens(settings.auth, new_token),
            "  Try this in another terminal. Prices move every few seconds, and the refresher",
            f"  fetches them every {settings.refresher_period_s:g} s:",
            "",
            f"    curl -s '{api}/api/v1/products/1/offers?sort=price'{reading} {pretty}",
            f"    curl -s -X POST {api}/api/v1/products/1/refresh{writing} {pretty}",
            "",
        ]
    )


def _about_tokens(auth: str, new_token: str | None) -> list[str]:
    if auth == "off":
        return []
    protected = {"write": "Writing", "all": "Every call"}[auth]
    if new_token is None:
        return [
            f"  {protected} needs a token. Set $TOKEN to yours, or create one:",
            "",
            "    export TOKEN=$(productator tokens create NAME --scope write)",
            "",
        ]
    return [
        f"  {protected} needs a token. This one has the scope admin and is shown only this once:",
        "",
        f"    export TOKEN={new_token}",
        "",
    ]
